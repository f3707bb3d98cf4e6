"use strict";
// Steps through one episode: score curve, sub-goals as bands, and as a timeline under whose
// sub-goals their actions are folded. Everything from the world is set as text.
const [ACTION, PREDICTED, SUBGOAL, ANSWER, SCORE, MOVES, ACCEPTED, REPLACED, BY] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

// Characters that would reorder a line, or hide in it, are shown as escapes, as in a terminal.
const HIDING = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;
const plain = (text) => String(text).replace(HIDING, (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));
const make = (name, className = "", text = undefined, ...inside) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = plain(text);
  made.append(...inside);
  return made;
};
const button = (text, label, action, className = "") => {
  const made = make("button", className, text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
};
const SVG = (() => {  // the name of what SVG's elements are
  const drawn = document.createElement("template");
  drawn.innerHTML = "<svg></svg>";
  return drawn.content.firstChild.namespaceURI;
})();
const shape = (name, attributes, ...inside) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
};
const current = (element, is) => (is ? element.setAttribute("aria-current", "true") : element.removeAttribute("aria-current"));
const pluralOf = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// The colour of a sub-goal follows its function name, so that navigate_to always looks the same.
const hues = new Map();
const hue = (subgoal) => {
  const name = subgoal.split("(")[0];
  if (!name) return "none";
  if (!hues.has(name)) hues.set(name, "g" + (hues.size % 8));
  return hues.get(name);
};

class Stepper {
  // `moved` is told the number of the step that is shown, `extra` gives what stands under a sub-goal.
  constructor(root, { title = "Episode", moved = () => {}, extra = () => null } = {}) {
    this.moved = moved;
    this.extra = extra;
    this.timer = null;
    this.description = make("p", "task");
    this.outcome = make("p", "outcome");
    const curve = { class: "score", viewBox: "0 0 1000 76", preserveAspectRatio: "none", role: "img" };
    this.svg = shape("svg", curve);
    this.svg.addEventListener("click", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.pause();
      this.go(Math.ceil(((event.clientX - box.left) / box.width) * this.rows.length) - 1);
    });
    this.bands = make("div", "bands");
    this.bands.setAttribute("role", "group");
    this.bands.setAttribute("aria-label", "Sub-goals");
    const still = (place) => () => { this.pause(); this.go(place()); };
    this.first = button("\u21e4", "First step", still(() => 0));
    this.previous = button("\u2190", "Previous step", still(() => this.step - 1));
    this.player = button("Play", "", () => this.play());
    this.next = button("\u2192", "Next step", still(() => this.step + 1));
    this.last = button("\u21e5", "Last step", still(() => this.rows.length - 1));
    this.slider = make("input");
    this.slider.type = "range";
    this.slider.min = 1;
    this.slider.setAttribute("aria-label", "Step");
    this.slider.addEventListener("input", still(() => this.slider.valueAsNumber - 1));
    this.count = make("span", "count");
    this.pill = make("span", "pill mono");
    this.action = make("div", "action mono");
    this.was = make("div", "was");
    this.answer = make("pre", "answer");
    this.answer.tabIndex = 0;
    this.answer.setAttribute("aria-label", "The world's answer");
    this.meta = make("div", "meta");
    this.before = make("pre", "answer before");
    this.before.tabIndex = 0;
    this.before.setAttribute("aria-label", "Before it");
    this.card = make("div", "card", undefined,
      this.before, this.pill, this.action, this.was, this.answer, this.meta);
    this.card.setAttribute("aria-live", "polite");
    this.spans = make("div", "timeline");
    this.spans.setAttribute("role", "group");
    this.spans.setAttribute("aria-label", "Sub-goals and their actions");
    this.reader = button("Read all", "", () => this.read(!this.reading));
    this.reader.setAttribute("aria-pressed", "false");
    const controls = [this.first, this.previous, this.player, this.next, this.last];
    root.setAttribute("aria-label", title);
    root.replaceChildren(this.description, this.outcome, this.svg, this.bands,
      make("div", "transport", undefined, ...controls, this.slider, this.count, this.reader),
      make("div", "columns", undefined, this.card, this.spans));
  }

  open(episode, step = 0) {
    this.pause();
    this.episode = episode;
    this.rows = [];
    this.parts = [];
    this.bands.replaceChildren();
    this.spans.replaceChildren();
    this.description.textContent = plain(episode.description);
    const scrolls = this.description.scrollHeight > this.description.clientHeight;
    if (scrolls) this.description.tabIndex = 0;
    else this.description.removeAttribute("tabindex");
    this.say(episode);
    for (const row of episode.steps) this.append(row);
    this.draw();
    this.go(step);
  }

  say(episode) {
    this.outcome.textContent = episode.ending ?
      `${episode.label}: score ${episode.score}, ${episode.ending} after ` +
      `${pluralOf(episode.steps.length, "step")}` +
      (episode.tokens ? `, ${episode.seconds} s, ${episode.tokens} tokens` : "") +
      (episode.error ? ` (${plain(episode.error)})` : "") : episode.label;
  }

  add(row) {  // a step of an episode that is being played
    const follows = this.step >= this.rows.length - 1;
    this.append(row);
    this.draw();
    this.go(follows ? this.rows.length - 1 : this.step);
  }

  append(row) {
    const number = this.rows.length;
    const gain = row[SCORE] - (number ? this.rows[number - 1][SCORE] : 0);
    this.rows.push(row);
    let part = this.parts[this.parts.length - 1];
    if (!part || part.subgoal !== row[SUBGOAL]) part = this.begin(row[SUBGOAL], number);
    part.end = number;
    part.band.style.flexGrow = number - part.begin + 1;
    part.band.title = `${part.band.textContent}: steps ${part.begin + 1} to ${number + 1}`;
    part.size.textContent = pluralOf(number - part.begin + 1, "step");
    part.gained += gain;
    this.gain(part.gain, part.gained);
    const item = button(undefined, "", () => { this.pause(); this.go(number); },
      row[ACCEPTED] ? "" : "refused");
    if (!row[ACCEPTED]) item.title = "not an action of the world";
    const gained = make("span");
    this.gain(gained, gain);
    item.append(make("span", "number", number + 1), make("span", "mono", row[ACTION]), gained);
    part.list.append(make("li", "", undefined, item));
    part.items.push(item);
    if (this.reading) this.tell(item, number);
  }

  // As a conversation: every sub-goal unfolded, and the world's answer under each action.
  read(all) {
    this.reading = all;
    this.reader.setAttribute("aria-pressed", String(all));
    for (const part of this.parts) {
      part.fold.open = all || part.begin <= this.step && this.step <= part.end;
      part.items.forEach((item, place) => {
        if (all) this.tell(item, part.begin + place);
        else item.parentNode.replaceChildren(item);
      });
    }
  }

  tell(item, number) {
    const before = this.beforeOf(number);
    if (before) item.before(make("p", "said", before));
    item.after(make("p", "said", this.rows[number][ANSWER]));
  }

  // What stood before a step that no step answers: the room at the beginning, what a user said first.
  beforeOf(number) { return (this.episode.before || {})[number] || ""; }

  begin(subgoal, number) {
    const name = subgoal || "no sub-goal";
    const part = { subgoal, begin: number, gained: 0, items: [], size: make("span", "meta"), gain: make("span") };
    part.band = button(name, "", () => { this.pause(); this.go(part.begin); }, "band " + hue(subgoal));
    part.list = make("ol", "steps");
    part.head = make("summary", "", undefined,
      make("span", "edge " + hue(subgoal)), make("span", "mono name", name), part.size, part.gain);
    part.fold = make("details", "span", undefined, part.head);
    part.fold.open = Boolean(this.reading);
    const extra = this.extra(part, this.parts.length);
    if (extra) part.fold.append(extra);
    part.fold.append(part.list);
    this.parts.push(part);
    this.bands.append(part.band);
    this.spans.append(part.fold);
    return part;
  }

  gain(place, gain) {
    place.className = gain < 0 ? "gain loss" : "gain";
    place.textContent = gain ? (gain > 0 ? "+" : "") + gain : "";
  }

  draw() {
    this.svg.replaceChildren();
    const scores = [0, ...this.rows.map((row) => row[SCORE])];
    const least = Math.min(0, ...scores), count = Math.max(1, scores.length - 1);
    const y = (score) => 70 - (64 * (score - least)) / (100 - least);
    for (const score of [0, 100]) {
      this.svg.append(shape("line", { class: "grid", x1: 0, x2: 1000, y1: y(score), y2: y(score) }));
    }
    // A staircase: a score holds until the next action has changed it.
    let path = `M0 ${y(0)}`;
    scores.slice(1).forEach((score, number) => { path += `H${(1000 * (number + 1)) / count}V${y(score)}`; });
    this.cursor = shape("line", { class: "cursor", y1: 0, y2: 76 });
    this.svg.append(shape("path", { class: "line", d: path }), this.cursor);
    this.svg.setAttribute("aria-label",
      `Score after every step: ${scores[scores.length - 1]} after ${pluralOf(count, "step")}`);
    this.slider.max = Math.max(1, this.rows.length);
  }

  go(number) {
    const count = this.rows.length;
    this.step = Math.max(0, Math.min(count - 1, number));
    const row = this.rows[this.step];
    this.slider.value = this.step + 1;
    this.slider.setAttribute("aria-valuetext", row ? `step ${this.step + 1}: ${row[ACTION]}` : "no steps");
    this.count.textContent = count ? `step ${this.step + 1} of ${count}` : "no steps";
    this.first.disabled = this.previous.disabled = this.step <= 0;
    this.next.disabled = this.last.disabled = this.step >= count - 1;
    if (this.next.disabled) this.pause();
    this.card.hidden = !row;
    if (!row) return;
    this.before.textContent = plain(this.beforeOf(this.step));
    this.before.hidden = !this.before.textContent;
    this.pill.textContent = plain(row[SUBGOAL] || "no sub-goal");
    this.pill.className = "pill mono " + hue(row[SUBGOAL]);
    this.action.textContent = plain(row[ACTION]);
    this.was.textContent = row[PREDICTED] ?
      plain(`${row[REPLACED] || "sent"} in place of what the agent wrote: ${row[PREDICTED]}`) : "";
    this.answer.textContent = plain(row[ANSWER]);
    this.meta.textContent = `score ${row[SCORE]}, ${pluralOf(row[MOVES], "move")}` +
      (row[ACCEPTED] ? "" : ", not an action of the world") +
      ({ person: ", typed by a person", record: ", as recorded" }[row[BY]] || "");
    for (const part of this.parts) this.mark(part);
    const x = (1000 * (this.step + 1)) / count;
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    this.moved(this.step);
  }

  mark(part) {
    const here = part.begin <= this.step && this.step <= part.end;
    part.band.classList.toggle("now", here);
    part.head.classList.toggle("now", here);
    current(part.band, here);
    part.items.forEach((item, place) => {
      const now = part.begin + place === this.step;
      item.classList.toggle("now", now);
      current(item, now);
    });
    if (!here) return;
    part.fold.open = true;
    const item = part.items[this.step - part.begin], list = this.spans;
    const away = item.offsetTop - list.offsetTop - list.scrollTop;
    if (away < 0 || away > list.clientHeight - item.offsetHeight) {
      list.scrollTop = item.offsetTop - list.offsetTop - list.clientHeight / 2;
    }
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.player.textContent = "Play";
  }

  play() {
    if (this.timer) return this.pause();
    if (this.step >= this.rows.length - 1) this.go(0);
    this.player.textContent = "Pause";
    this.timer = setInterval(() => this.go(this.step + 1), 900);
  }

  // Whether a key was one of its own.
  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!steps || !this.rows) return false;
    this.pause();
    this.go(this.step + steps);
    return true;
  }
}
const typing = (event) =>
  event.target.closest("select, input, textarea") || event.ctrlKey || event.metaKey || event.altKey;
