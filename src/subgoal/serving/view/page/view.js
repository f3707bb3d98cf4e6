"use strict";
// Lists the episodes of the server's runs and steps through one, or two side by side. What comes
// from worlds and models is set as text. The address after # names the episode that is open.
const at = (id) => document.getElementById(id);
const FILTERS = ["run", "agent", "type", "ending", "subgoal"];
const PAGE = 100, MOST = 200;  // episodes asked for at once: by hand, and by the server at most
const NEWS = 3000;
const state = { rows: [], key: "", mode: "episodes", steppers: [], asked: 0, opening: 0, version: 0 };

const ask = async (what, query = {}) => {
  const asked = await reached(`api/${what}?${new URLSearchParams(query)}`);
  const found = await asked.json();
  if (!asked.ok) throw new Error(found.error);
  return found;
};
const trouble = (error) => { at("found").textContent = error.message || String(error); };

const choices = (select, values, any) => {
  const said = JSON.stringify([values, any]);
  if (select.said === said) return;  // who is choosing just now is not disturbed
  select.said = said;
  const before = select.value;
  const pairs = values.map((one) => (Array.isArray(one) ? one : [one, one]));
  select.replaceChildren(...[...(any === undefined ? [] : [["", any]]), ...pairs].map(([value, text]) => {
    const option = make("option", "", text);
    option.value = value;
    return option;
  }));
  if (pairs.some(([value]) => value === before)) select.value = before;
};
const filters = () => {
  const query = Object.fromEntries(FILTERS.map((name) => [name, at(name).value]));
  return { ...query, text: at("text").value.trim() };
};

// Several annotated paths of one task are told apart by what stands behind # in their keys.
const nameOf = (row) => [`${row.type} ${row.variation}`, ...row.key.split("#").slice(1)].join(", ");
const rowOf = (row) => {
  const meter = make("div", "meter", undefined, make("i"));
  meter.firstChild.style.width = Math.max(0, Math.min(100, row.score)) + "%";
  const item = button(undefined, "", () => pick(row.key));
  const run = at("run").options.length > 2 ? `, ${row.run}` : "";
  item.dataset.key = row.key;
  item.append(
    make("span", "name", nameOf(row)), make("span", "score", row.score),
    make("span", "about", `${row.agent_label}, ${pluralOf(row.steps, "step")}${run}`),
    make("span", "ending " + (row.solved ? "good" : "bad"), row.ending_label), meter);
  return make("li", "", undefined, item);
};
const mark = () => {
  for (const item of document.querySelectorAll("#browse [data-key]")) {
    current(item, item.dataset.key === state.key);
  }
};

// Rows that stand already stay as they are, so that focus and place in the list are kept.
const lay = (rows) => {
  const place = at("rows");
  const standing = new Map([...place.children].map((item) => [item.said, item]));
  const wanted = rows.map((row) => {
    const said = JSON.stringify([row, at("run").options.length > 2]);
    return standing.get(said) || Object.assign(rowOf(row), { said });
  });
  for (const item of [...place.children]) if (!wanted.includes(item)) item.remove();
  wanted.forEach((item, number) => {
    if (place.children[number] !== item) place.insertBefore(item, place.children[number] || null);
  });
};
const list = async (length = PAGE) => {
  const turn = ++state.asked;
  let rows = [], total = length;
  while (rows.length < Math.min(length, total)) {
    const limit = Math.min(MOST, length - rows.length);
    const found = await ask("episodes", { ...filters(), offset: rows.length, limit });
    if (turn !== state.asked) return;  // what was typed since is on its way
    if (!rows.length) state.version = found.version;
    rows = [...rows, ...found.rows];
    total = found.rows.length ? found.total : rows.length;
  }
  state.rows = rows;
  lay(rows);
  at("found").textContent = pluralOf(total, "episode");
  at("more").hidden = rows.length >= total;
  mark();
};
const more = () => list(state.rows.length + PAGE).catch(trouble);

const NAMED = {
  subgoal: (where) => where + "(...)",
  action: (where) => (where ? `before the oracle's "${where} ..."` : "after the oracle's last action"),
  last: (where) => (where ? `within ${where}(...)` : "without a sub-goal"),
};
const groupOf = (group) => {
  const ways = group.ways.map(([expected, taken, count]) => make("li", "", undefined,
    make("b", "mono", taken || "nothing more"), ` instead of `,
    make("b", "mono", expected || "nothing more"), count > 1 ? `, ${count} times` : ""));
  const inside = make("ol", "rows");
  const fold = make("details", "group", undefined, make("summary", "", undefined,
    make("span", "meta", pluralOf(group.count, "failure")),
    make("span", "mono", NAMED[group.by](group.where))));
  if (ways.length) fold.append(make("ul", "ways", undefined, ...ways));
  fold.append(inside);
  fold.named = JSON.stringify([group.by, group.where]);
  fold.addEventListener("toggle", () => {
    if (!inside.children.length) inside.append(...group.rows.map(rowOf));
    mark();
  });
  return fold;
};
const underGroups = ({ unknown, asking }) => {
  const known = asking ? `asking the world for ${pluralOf(asking, "oracle path")} ...` :
    `Ask the world for ${pluralOf(unknown, "oracle path")}`;
  at("ask-oracle").hidden = !unknown && !asking;
  at("ask-oracle").textContent = known;
  at("ask-oracle").disabled = Boolean(asking);
  if (asking) setTimeout(() => { if (state.mode === "failures") failures(true).catch(trouble); }, 2000);
};
const failures = async (again = false) => {
  const turn = ++state.asked;
  if (!again) at("found").textContent = "comparing with the oracle's paths ...";
  const found = await ask("failures", filters());
  if (turn !== state.asked) return;
  const groups = found.groups;
  state.version = found.version;
  underGroups(found);
  const unfolded = [...at("groups").children].filter((fold) => fold.open).map((fold) => fold.named);
  at("groups").replaceChildren(...groups.map(groupOf), ...found.pages.map((place) => make("p", "note", undefined,
    "Conversations are not played but assessed. Turn by turn: ", make("span", "mono", place))));
  for (const fold of at("groups").children) fold.open = unfolded.includes(fold.named);
  state.rows = groups.flatMap((group) => group.rows);
  const count = groups.reduce((sum, group) => sum + group.count, 0);
  at("found").textContent = `${pluralOf(count, "failure")}, by where they left the oracle's path`;
};

const training = new Training(at, ask, trouble);
const show = () => ({ episodes: list, failures, training: () => training.show(), play: tasks })[state.mode]().catch(trouble);
const mode = (name) => {
  if (at("tab-" + name).hidden) return;
  state.mode = name;
  for (const one of ["episodes", "failures", "training", "play"]) {
    at("tab-" + one).setAttribute("aria-pressed", String(one === name));
  }
  at("rows").hidden = name !== "episodes";
  at("groups").hidden = name !== "failures";
  at("more").hidden = at("ask-oracle").hidden = true;
  at("play").hidden = name !== "play";
  at("filters").hidden = name === "play" || name === "training";
  if (name !== "training") known().catch(trouble);
  if (name !== "training" && training.seen) {
    training.hide();
    history.replaceState(null, "", state.address || location.pathname);
  }
  show();
};

// What is played in the server: a task, or an episode from one of its steps on.
const live = new Live(at, (error) => { at("live-state").textContent = error.message; });
const tasks = async () => {
  at("found").textContent = "asking the world for its tasks ...";
  const found = await ask("tasks", { player: at("player").value });
  choices(at("play-type"), Object.entries(found).map(([name, count]) => [name, `${name} (${count})`]));
  at("found").textContent = "";
};
const watch = async (wish, beside) => {
  const turn = ++state.opening;  // what was asked for last is what is shown
  const { number } = await send("live", wish);
  if (turn !== state.opening) return send(`live/${number}`, { do: "leave" });
  const made = panel("Live", (part) => live.under(part));
  const kept = beside ? [beside] : [];
  if (!kept.length) { state.key = ""; state.open = null; leftOf(null); mark(); }
  state.steppers = [...kept.map((one) => one.stepper), made.stepper];
  at("panels").replaceChildren(...kept.map((one) => one.whole), made.whole);
  at("panels").classList.toggle("two", kept.length > 0);
  at("nothing").hidden = true;
  at("bar").hidden = !kept.length;
  at("parting").hidden = true;
  live.start(number, made.stepper, wish.paused ? "paused" : "running");
  at("stage").scrollIntoView({ block: "start" });
};
const playOn = (step, subgoal = "") => watch({ key: state.key, step, subgoal, paused: !subgoal }, state.panels[0]);
const askPlanner = async () => {
  const asked = state.panels[0].stepper;
  at("ask-planner").disabled = true;
  at("ask-planner").textContent = "asking ...";
  try {
    const { of } = await ask("alternatives", { key: state.key });
    asked.parts.forEach((part, place) => {
      if (!of[place]) return;
      part.alts.prepend(alternatives(of[place], part.subgoal, (text) => playOn(part.begin, text).catch(trouble)));
      const [, chance] = of[place].find(([text]) => text === part.subgoal) || [];
      part.size.textContent += chance === undefined ? ", unlikely" : `, ${percent(chance)}`;
    });
    at("ask-planner").hidden = true;
  } finally {
    at("ask-planner").disabled = false;
    at("ask-planner").textContent = "Ask the planner";
  }
};
// Under each recorded sub-goal: what else might have been set.
const underRecorded = (player) => (part) => {
  part.alts = make("div", "alts");
  if (player && part.subgoal) part.alts.append(whatIf((text) => playOn(part.begin, text).catch(trouble)));
  return part.alts;
};

const panel = (title, extra) => {
  const whole = make("div");
  whole.setAttribute("role", "group");
  return { whole, stepper: new Stepper(whole, { title, extra }) };
};
const titleOf = (row) => `${row.agent_label}: ${row.score}` + (at("run").options.length > 2 ? `, ${row.run}` : "");

const leftOf = (left) => {
  at("left").hidden = !left;
  if (!left) return;
  at("left").replaceChildren(
    button(`Step ${left.step + 1}`, "", () => state.steppers[0].go(left.step)), " leaves the oracle's path: ",
    make("span", "mono", left.taken || "nothing more"), " instead of ",
    make("span", "mono", left.expected || "nothing more"),
    ...(left.subgoal ? [" in ", make("span", "mono", left.subgoal + "(...)")] : []));
};

const partingOf = (one, other) => {  // two agents, the same task: the first action that differs
  const [first, second] = [one, other].map((episode) => (episode ? episode.steps : []));
  const step = first.findIndex((row, number) => second[number] && row[ACTION] !== second[number][ACTION]);
  at("parting").hidden = !other || step < 0;
  at("parting").replaceChildren(
    button(`Step ${step + 1}`, "", () => state.steppers.forEach((stepper) => stepper.go(step))),
    " is the first that differs between the two");
};

const others = (one, beside) => {
  choices(at("beside"), one.others.map((row) => [row.key, titleOf(row)]), "nobody");
  at("beside").value = beside;
};
const open = async (key, beside = "") => {
  const turn = ++state.opening;
  const [one, other] = await Promise.all([
    ask("episode", { key }), beside ? ask("episode", { key: beside }) : null]);
  if (turn !== state.opening) return;
  for (const stepper of state.steppers) stepper.pause();
  live.stop();
  state.key = key;
  state.open = one;
  const both = other ? [one, other] : [one];
  const panels = both.map((episode) => panel(titleOf(episode.row), underRecorded(episode.player)));
  state.panels = panels;
  state.steppers = panels.map((made) => made.stepper);
  at("panels").replaceChildren(...panels.map((made) => made.whole));
  at("panels").classList.toggle("two", both.length > 1);
  at("nothing").hidden = true;
  at("bar").hidden = false;
  at("play-on").hidden = !one.player;
  at("ask-planner").hidden = !one.player || !one.row.subgoals.length;
  at("title").textContent = plain(`${one.name}, variation ${one.variation}`);
  others(one, beside);
  leftOf(one.row.solved ? null : one.left);
  partingOf(one, other);
  both.forEach((episode, place) => state.steppers[place].open(episode));
  state.address = "#" + new URLSearchParams({ e: key, ...(beside ? { b: beside } : {}) });
  history.replaceState(null, "", state.address);
  mark();
};
const choose = (key, beside) => open(key, beside).catch(trouble);
const pick = async (key) => {  // by hand: where the list is above the episode, the episode comes into view
  await choose(key);
  if (matchMedia("(max-width: 860px)").matches) at("stage").scrollIntoView();
};

const along = (by) => {  // the next of the list, of failures and of runs too
  if (state.mode === "training") return training.along(by);
  const keys = [...document.querySelectorAll("#browse [data-key]")].filter((item) => item.offsetParent);
  if (!keys.length) return;
  const now = keys.findIndex((item) => item.dataset.key === state.key);
  const next = keys[Math.max(0, Math.min(keys.length - 1, now + by))];
  next.scrollIntoView({ block: "nearest" });
  choose(next.dataset.key);
  if (next === keys[keys.length - 1] && !at("more").hidden) more();
};
const besides = () => {
  const select = at("beside");
  if (at("bar").hidden || select.options.length < 2) return;
  select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
  choose(state.key, select.value);
};
const search = () => {
  if (at("filters").hidden) mode("episodes");
  at("text").focus();
};
const KEYS = {
  j: () => along(1), k: () => along(-1), "/": search, "?": () => at("help").showModal(),
  e: () => mode("episodes"), f: () => mode("failures"), t: () => mode("training"), b: besides, p: () => live.toggle(),
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.closest("input, select")) event.target.blur();
  if (typing(event) || at("help").open) return;
  const own = KEYS[event.key];
  if (own) own();
  if (own || state.steppers.map((stepper) => stepper.key(event)).some(Boolean)) event.preventDefault();
});

let waiting = null;
at("text").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(show, 250);
});
at("filters").addEventListener("submit", (event) => event.preventDefault());
for (const name of FILTERS) at(name).addEventListener("change", show);
at("more").addEventListener("click", more);
at("tab-episodes").addEventListener("click", () => mode("episodes"));
at("tab-failures").addEventListener("click", () => mode("failures"));
at("tab-training").addEventListener("click", () => mode("training"));
at("tab-play").addEventListener("click", () => mode("play"));
at("player").addEventListener("change", show);
at("play").addEventListener("submit", (event) => {
  event.preventDefault();
  live.stop();
  watch({
    player: at("player").value, type: at("play-type").value,
    variation: at("play-variation").valueAsNumber || 0, paused: at("play-paused").checked,
  }).catch(trouble);
});
at("ask-oracle").addEventListener("click", () => send("oracle", {}, filters()).then(show).catch(trouble));
at("ask-planner").addEventListener("click", () => askPlanner().catch(trouble));
at("play-on").addEventListener("click", () => playOn(state.panels[0].stepper.step).catch(trouble));
addEventListener("pagehide", () => live.stop());
at("back").addEventListener("click", () => at("browse").scrollIntoView());
at("open-help").addEventListener("click", () => at("help").showModal());
at("beside").addEventListener("change", () => choose(state.key, at("beside").value));

const known = async () => {  // what there is to choose from now: runs may be played and trained meanwhile
  const about = await ask("about");
  for (const name of FILTERS) choices(at(name), about[name], "any");
  choices(at("player"), about.players);
  at("tab-play").hidden = !about.players.length;
  return about;
};
// What was played since stands in the list by itself; how many there are is not said aloud each time.
const news = async () => {
  const { version } = await known();
  if (state.version === version) return;
  at("found").setAttribute("aria-live", "off");
  if (state.mode === "episodes") await list(Math.max(PAGE, state.rows.length));
  if (state.mode === "failures" && !at("groups").contains(document.activeElement)) await failures(true);
  const { key } = state;
  const one = key && await ask("episode", { key });
  if (one && key === state.key) others(one, at("beside").value);
};
const listen = async () => {
  try {
    if (!document.hidden && !at("filters").hidden) await news();
  } catch (error) {
    trouble(error);
  } finally {
    at("found").removeAttribute("aria-live");
    setTimeout(listen, NEWS);
  }
};
(async () => {
  const about = await known();
  at("runs").textContent = (about.run.length ? about.run : about.players).join(", ");
  at("which-run").hidden = about.run.length < 2;
  at("tab-training").hidden = !about.run.length;
  const named = new URLSearchParams(location.hash.slice(1));
  training.name = named.get("t") || "";
  mode(!about.run.length ? "play" : training.name || !about.agent.length ? "training" : "episodes");
  if (named.get("e")) choose(named.get("e"), named.get("b") || "");
  setTimeout(listen, NEWS);
})().catch(trouble);
