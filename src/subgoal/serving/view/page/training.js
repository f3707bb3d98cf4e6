"use strict";
// How far runs have come: their stages with rate and time left, and what training has come to, as
// curves and as tables. Asked again and again while it is seen, so that nobody has to reload.
const SOON = 2000, LATER = 10000;

const clockOf = (seconds) => {
  const whole = Math.round(seconds), two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
};
const few = (number) => number.toLocaleString("en", { maximumFractionDigits: number < 10 ? 1 : 0 });
const write = (element, text) => { if (element.textContent !== plain(text)) element.textContent = plain(text); };
const cells = (row, head) => make("tr", "", undefined, ...row.map((text, place) => {
  const cell = make(head || !place ? "th" : "td", "", text);
  if (head || !place) cell.scope = head ? "col" : "row";
  return cell;
}));

const WIDTH = 920;  // of a chart, in its own units; its axes end where the server placed the marks
const drawn = (chart) => {
  const left = 52, right = WIDTH - 170;
  const text = (x, y, said, anchor = "start") => shape("text", { x, y, "text-anchor": anchor }, said);
  const grid = chart.y_ticks.flatMap(([y, said]) =>
    [shape("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }), text(left - 8, y + 4, said, "end")]);
  const along = chart.x_ticks.map(([x, said]) => text(x, chart.height - 20, said, "middle"));
  const lines = chart.lines.map((line) => shape("g", { class: `c${line.number % 9}` },
    shape("title", {}, line.text),
    shape("polyline", { class: `curve ${line.kind}`, points: line.points }),
    ...line.dots.map(([cx, cy]) => shape("circle", { class: "dot", cx, cy, r: 3 }))));
  const labels = chart.labels.map(([said, y, number]) => shape("g", { class: `c${number % 9}` },
    shape("circle", { class: "dot", cx: right + 12, cy: y - 4, r: 4 }), text(right + 22, y, said)));
  const said = chart.lines.map((line) => line.text).join("; ");
  return shape("svg", {
    class: "chart", viewBox: `0 0 ${WIDTH} ${chart.height}`, role: "img", "aria-label": `${chart.title}: ${said}`,
  }, ...grid, ...along, text((left + right) / 2, chart.height - 3, chart.along, "middle"), ...lines, ...labels);
};

// A chart's place on the page, made once, so that what is unfolded or scrolled stays so.
const figureOf = (title) => {
  const place = make("div", "wide"), body = make("div", "wide");
  for (const [one, name] of [[place, title], [body, `${title} as a table`]]) {
    one.tabIndex = 0;
    one.setAttribute("role", "region");
    one.setAttribute("aria-label", name);
  }
  const hint = make("p", "hint"), fold = make("details", "", undefined, make("summary", "", "The same as a table"), body);
  return { whole: make("div", "", undefined, make("h3", "", title), hint, place, fold), hint, place, body };
};

class Training {
  // `at` finds an element of the page, `ask` asks its server, `trouble` is told what went wrong.
  constructor(at, ask, trouble) {
    Object.assign(this, { at, ask, trouble, name: "", figures: new Map(), timer: 0, turn: 0 });
    at("back-to-runs").addEventListener("click", () => at("browse").scrollIntoView());
    document.addEventListener("visibilitychange", () => { if (this.seen && !document.hidden) this.look(); });
  }

  show() {
    this.seen = true;
    this.at("run-rows").hidden = this.at("training").hidden = false;
    this.at("stage").classList.add("training");
    this.at("stage").setAttribute("aria-label", "Training");
    return this.look();
  }

  hide() {
    this.seen = false;
    clearTimeout(this.timer);
    this.at("run-rows").hidden = this.at("training").hidden = true;
    this.at("stage").classList.remove("training");
    this.at("stage").setAttribute("aria-label", "Episode");
  }

  pick(name) {
    this.name = name;
    return this.look().then(() => {
      if (matchMedia("(max-width: 860px)").matches) this.at("stage").scrollIntoView();
    });
  }

  along(by) {
    const now = this.names.indexOf(this.name);
    this.pick(this.names[Math.max(0, Math.min(this.names.length - 1, now + by))]);
  }

  async look() {
    const turn = ++this.turn;
    clearTimeout(this.timer);
    let soon = false;
    try {
      const { runs } = await this.ask("runs");
      this.names = runs.map(({ run }) => run);
      if (!this.names.includes(this.name)) this.name = (runs.find(({ running }) => running) || runs[0]).run;
      const found = await this.ask("run", { run: this.name });
      if (turn !== this.turn || !this.seen) return;
      soon = runs.some(({ running }) => running);
      this.list(runs);
      this.tell(found);
    } catch (error) {
      this.trouble(error);
    }
    if (this.seen && turn === this.turn && !document.hidden) this.timer = setTimeout(() => this.look(), soon ? SOON : LATER);
  }

  list(runs) {
    const rows = this.at("run-rows");
    if (rows.children.length !== runs.length) {
      rows.replaceChildren(...runs.map(({ run }) => {
        const item = button(undefined, "", () => this.pick(run));
        item.append(make("span", "name", run), make("span", "score"), make("span", "about"));
        return make("li", "", undefined, item);
      }));
    }
    runs.forEach(({ run, state, running }, place) => {
      const item = rows.children[place].firstChild;
      write(item.querySelector(".score"), running ? "running" : "");
      write(item.querySelector(".about"), state);
      current(item, run === this.name);
    });
    write(this.at("found"), pluralOf(runs.length, "run"));
  }

  tell(found) {
    history.replaceState(null, "", "#" + new URLSearchParams({ t: found.run }));
    write(this.at("training-title"), found.run);
    write(this.at("training-state"), found.state);  // said aloud where it changes; figures are not
    this.at("training-notes").replaceChildren(...found.notes.map((text) => make("p", "note", text)));
    const pieces = found.stages.flatMap((stage) => stage.work.map((piece) => [stage, piece]));
    this.at("work").replaceChildren(...pieces.map(([stage, piece]) => this.piece(stage, piece)));
    this.at("stages").tBodies[0].replaceChildren(...found.stages.map((stage) => {
      const row = cells([stage.stage, stage.standing, stage.seconds ? clockOf(stage.seconds) : ""]);
      row.children[1].className = "left";
      return row;
    }));
    this.charts(found.charts);
  }

  piece(stage, piece) {
    const bar = make("progress");
    bar.max = Math.max(piece.total, 1e-9);
    bar.value = piece.done;
    bar.setAttribute("aria-label", piece.label);
    const running = stage.standing === "running";
    const said = [
      `${few(piece.done)} of ${few(piece.total)} ${piece.unit}`,
      ...(piece.rate ? [`${few(piece.rate)} ${piece.unit}/s`] : []), ...(piece.note ? [piece.note] : []),
    ];
    return make("li", "", undefined, make("span", "name", piece.label),
      make("span", "", running ? `${clockOf(piece.left)} left` : stage.standing), bar,
      make("span", "meta", said.join(", ")));
  }

  charts(charts) {
    const place = this.at("charts");
    const titles = charts.map(({ title }) => title);
    for (const [title, { whole }] of this.figures) if (!titles.includes(title)) whole.remove(), this.figures.delete(title);
    for (const chart of charts) {
      if (!this.figures.has(chart.title)) this.figures.set(chart.title, figureOf(chart.title));
      const made = this.figures.get(chart.title);
      if (!made.whole.isConnected) place.append(made.whole);
      write(made.hint, `${chart.figure}, against ${chart.along}; dashed: on what is held out`);
      made.place.replaceChildren(drawn(chart));
      made.body.replaceChildren(make("table", "", undefined,
        make("thead", "", undefined, cells(chart.head, true)),
        make("tbody", "", undefined, ...chart.rows.map((row) => cells(row)))));
    }
  }
}
