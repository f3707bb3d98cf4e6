"use strict";
// Steps through the episodes that the page carries. Everything from the world is set as text.
(() => {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("episodes").textContent);
  if (!data.length) return;
  const [ACTION, PREDICTED, SUBGOAL, ANSWER, SCORE, MOVES, ACCEPTED, REPLACED] = [0, 1, 2, 3, 4, 5, 6, 7];
  const svg = at("curve");
  let episode = data[0], step = 0, timer = null;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const shape = (name, attributes) => {
    const made = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    svg.append(made);
    return made;
  };
  // The colour of a sub-goal follows its function name, so that navigate_to always looks the same.
  const functionName = (subgoal) => subgoal.split("(")[0];
  const hues = new Map();
  for (const one of data) {
    for (const row of one.steps) {
      const name = functionName(row[SUBGOAL]);
      if (name && !hues.has(name)) hues.set(name, "g" + (hues.size % 8));
    }
  }
  const hue = (subgoal) => hues.get(functionName(subgoal)) || "none";
  const spans = () => {
    const found = [];
    episode.steps.forEach((row, number) => {
      const last = found[found.length - 1];
      if (last && last.subgoal === row[SUBGOAL]) last.end = number;
      else found.push({ subgoal: row[SUBGOAL], begin: number, end: number });
    });
    return found;
  };

  const options = (select, values) => {
    select.replaceChildren(...values.map(([value, text]) => {
      const option = element("option", "", text);
      option.value = value;
      return option;
    }));
  };
  const tasks = [...new Map(data.map((one) => [one.task, one])).values()];
  options(at("task"), tasks.map((one) => [one.task, `${one.name}, variation ${one.variation}`]));

  const chooseTask = (task, agent) => {
    const played = data.filter((one) => one.task === task);
    options(at("agent"), played.map((one) => [
      one.agent + "/" + one.protocol, `${one.label} (score ${one.score})`,
    ]));
    open(played.find((one) => one.agent === agent) || played[0]);
  };

  const drawCurve = () => {
    svg.replaceChildren();
    const scores = [0, ...episode.steps.map((row) => row[SCORE])];
    const least = Math.min(0, ...scores), count = Math.max(1, scores.length - 1);
    const x = (number) => (1000 * number) / count;
    const y = (score) => 70 - (64 * (score - least)) / (100 - least);
    for (const score of [0, 100]) {
      shape("line", { class: "grid", x1: 0, x2: 1000, y1: y(score), y2: y(score) });
    }
    // A staircase: a score holds until the next action has changed it.
    let path = `M0 ${y(0)}`;
    scores.slice(1).forEach((score, number) => { path += `H${x(number + 1)}V${y(score)}`; });
    shape("path", { class: "line", d: path });
    shape("line", { class: "cursor", id: "cursor", y1: 0, y2: 76 });
  };

  const open = (chosen) => {
    episode = chosen;
    step = 0;
    at("agent").value = episode.agent + "/" + episode.protocol;
    at("description").textContent = episode.description;
    at("outcome").textContent =
      `${episode.label}: score ${episode.score}, ${episode.ending} after ${episode.steps.length} ` +
      `steps, ${episode.seconds} s, ${episode.tokens} tokens` +
      (episode.error ? ` (${episode.error})` : "");
    at("bands").replaceChildren(...spans().map((span) => {
      const band = element("button", "band " + hue(span.subgoal), span.subgoal || "no sub-goal");
      band.type = "button";
      band.style.flexGrow = span.end - span.begin + 1;
      band.title = `${band.textContent}: steps ${span.begin + 1} to ${span.end + 1}`;
      band.onclick = () => go(span.begin);
      return band;
    }));
    let before = 0;
    at("steps").replaceChildren(...episode.steps.map((row, number) => {
      const item = element("li", row[ACCEPTED] ? "" : "refused");
      const gain = row[SCORE] - before;
      before = row[SCORE];
      item.append(
        element("span", "edge " + hue(row[SUBGOAL])), element("span", "number", number + 1),
        element("span", "mono", row[ACTION]),
        element("span", gain < 0 ? "gain loss" : "gain", gain ? (gain > 0 ? "+" : "") + gain : ""),
      );
      item.onclick = () => go(number);
      return item;
    }));
    at("slider").max = Math.max(1, episode.steps.length);
    drawCurve();
    go(0);
  };

  const go = (number) => {
    const count = episode.steps.length;
    step = Math.max(0, Math.min(count - 1, number));
    const row = episode.steps[step];
    at("slider").value = step + 1;
    at("count").textContent = count ? `step ${step + 1} of ${count}` : "no steps";
    at("first").disabled = at("previous").disabled = step <= 0;
    at("next").disabled = at("last").disabled = step >= count - 1;
    if (at("next").disabled) pause();
    at("card").hidden = !row;
    if (!row) return;
    at("subgoal").textContent = row[SUBGOAL] || "no sub-goal";
    at("subgoal").className = "pill mono " + hue(row[SUBGOAL]);
    at("action").textContent = row[ACTION];
    at("predicted").textContent = row[PREDICTED] ?
      `${row[REPLACED] || "sent"} in place of what the agent wrote: ${row[PREDICTED]}` : "";
    at("answer").textContent = row[ANSWER];
    at("meta").textContent = `score ${row[SCORE]}, ${row[MOVES]} ${row[MOVES] === 1 ? "move" : "moves"}` +
      (row[ACCEPTED] ? "" : ", not an action of the world");
    const here = spans().findIndex((span) => span.begin <= step && step <= span.end);
    [...at("bands").children].forEach((band, place) => band.classList.toggle("now", place === here));
    [...at("steps").children].forEach((item, place) => item.classList.toggle("now", place === step));
    const item = at("steps").children[step], list = at("steps");
    const away = item.offsetTop - list.offsetTop - list.scrollTop;
    if (away < 0 || away > list.clientHeight - item.offsetHeight) {
      list.scrollTop = item.offsetTop - list.offsetTop - list.clientHeight / 2;
    }
    const x = (1000 * (step + 1)) / count;
    at("cursor").setAttribute("x1", x);
    at("cursor").setAttribute("x2", x);
  };

  const pause = () => {
    clearInterval(timer);
    timer = null;
    at("play").textContent = "Play";
  };
  const play = () => {
    if (timer) return pause();
    if (step >= episode.steps.length - 1) go(0);
    at("play").textContent = "Pause";
    timer = setInterval(() => go(step + 1), 900);
  };

  at("task").onchange = () => { pause(); chooseTask(at("task").value, episode.agent); };
  at("agent").onchange = () => {
    pause();
    open(data.find((one) => one.task === at("task").value &&
      one.agent + "/" + one.protocol === at("agent").value));
  };
  at("slider").oninput = () => { pause(); go(at("slider").valueAsNumber - 1); };
  at("first").onclick = () => { pause(); go(0); };
  at("previous").onclick = () => { pause(); go(step - 1); };
  at("next").onclick = () => { pause(); go(step + 1); };
  at("last").onclick = () => { pause(); go(episode.steps.length - 1); };
  at("play").onclick = play;
  svg.onclick = (event) => {
    const box = svg.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    pause();
    go(Math.ceil(share * episode.steps.length) - 1);
  };
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("select, input") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") { pause(); go(step - 1); }
    if (event.key === "ArrowRight") { pause(); go(step + 1); }
  });
  at("viewer").hidden = false;
  chooseTask(data[0].task, data[0].agent);
})();
