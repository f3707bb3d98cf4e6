"use strict";
// An episode that is played in the server: what happens comes as events, what a person says is sent.
const reached = async (...asked) => {
  try {
    return await fetch(...asked);
  } catch {
    throw new Error("the server does not answer; where it has ended, start it again and reload this page");
  }
};
const send = async (what, body, query = {}) => {
  const answer = await reached(`api/${what}?${new URLSearchParams(query)}`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
};

// The planner's alternatives under a sub-goal; `set` is called with the one that a person wants.
const percent = (chance) => (chance < 0.0005 ? "<0.1 %" : `${(100 * chance).toFixed(chance < 0.0995 ? 1 : 0)} %`);
const worthTelling = (found) => found.filter(([, chance], place) => place < 2 || chance >= 0.001);
const alternatives = (found, chosen, set) => make("ol", "", undefined, ...worthTelling(found).map(([text, chance]) => {
  const bar = make("i");
  bar.style.width = 100 * chance + "%";
  const item = make("li", text === chosen ? "set" : "", undefined,
    make("span", "chance", percent(chance)),
    make("span", "what mono", undefined, bar, make("span", "", text)));
  current(item, text === chosen);
  if (set && text !== chosen) item.append(button("What if?", `What if it had been ${text}?`, () => set(text)));
  return item;
}));
const whatIf = (set) => {
  const typed = make("input");
  typed.type = "text";
  typed.placeholder = "another sub-goal";
  typed.setAttribute("aria-label", "Another sub-goal");
  const form = make("form", "", undefined, typed, make("button", "", "What if?"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (typed.value.trim()) set(typed.value.trim());
  });
  return form;
};

class Live {
  // `at` finds an element of the page; `trouble` is told what went wrong.
  constructor(at, trouble) {
    this.at = at;
    this.trouble = trouble;
    this.number = 0;
    const say = (what) => () => this.say(what);
    at("live-pause").addEventListener("click", () => this.toggle());
    at("live-step").addEventListener("click", say("step"));
    at("live-take").addEventListener("click", () => {
      this.say(this.mode === "person" ? "resume" : "take over");
      if (this.mode !== "person") at("live-action").focus();
    });
    at("live-leave").addEventListener("click", say("leave"));
    for (const [form, input, what] of [["live-act", "live-action", "action"], ["live-plan", "live-subgoal", "subgoal"]]) {
      at(form).addEventListener("submit", (event) => {
        event.preventDefault();
        const text = at(input).value.trim();
        if (text) this.say(what, text);
        at(input).value = "";
      });
    }
  }

  get running() { return Boolean(this.source); }

  say(what, text = "") {
    if (!this.running) return;
    send(`live/${this.number}`, { do: what, text }).catch(this.trouble);
  }

  toggle() { this.say(this.mode === "running" ? "pause" : "resume"); }

  start(number, stepper, mode) {
    this.stop();
    this.number = number;
    this.stepper = stepper;
    this.found = [];
    this.mode = mode;
    this.at("live").hidden = false;
    this.source = new EventSource(`api/live/${number}/events`);
    this.source.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    this.show("starting");
  }

  stop() {
    this.at("live").hidden = true;
    if (!this.running) return;
    this.say("leave");
    this.close();
  }

  close() {
    this.source.close();
    this.source = null;
  }

  // What stands under a sub-goal that begins now.
  under(part) {
    const place = make("div", "alts");
    if (this.found.length) place.append(alternatives(this.found, part.subgoal, (text) => this.say("subgoal", text)));
    this.found = [];
    return place;
  }

  hear(event) {
    if (event.is === "opening") this.stepper.open({ ...event, steps: [] });
    if (event.is === "alternatives") this.found = event.of;
    if (event.is === "goal") this.show("goal: " + event.subgoal);
    if (event.is === "step") this.stepper.add(event.row);
    if (event.is === "note") this.show(event.text);
    if (event.is === "mode") {
      this.mode = event.mode;
      this.show({ running: "the agent plays", paused: "paused", person: "you decide" }[event.mode]);
    }
    if (event.is === "waiting") this.wait(event);
    if (event.look !== undefined) this.at("room-text").textContent = plain([event.look, event.inventory].filter(Boolean).join("\n\n"));
    if (event.is === "end") {
      this.show(`${event.ending}, score ${event.score}` + (event.error ? ` (${event.error})` : ""));
      if (this.stepper.episode) this.stepper.say({ ...this.stepper.episode, ...event, steps: this.stepper.rows });
      this.close();
      this.controls();
    }
  }

  wait(event) {
    this.show(this.mode === "person" ? "your action?" :
      `paused before the ${event.planning ? "planner sets a sub-goal" : "executor acts"}`);
    this.at("valid").replaceChildren(...event.valid.map((text) => {
      const option = make("option");
      option.value = text;
      return option;
    }));
  }

  show(text) {
    this.at("live-state").textContent = "Live: " + plain(text);
    this.controls();
  }

  controls() {
    this.at("live-pause").textContent = this.mode === "running" ? "Pause" : "Let the agent go on";
    this.at("live-take").textContent = this.mode === "person" ? "Give back" : "Take over";
    for (const item of this.at("live").querySelectorAll("button, input")) item.disabled = !this.running;
  }
}
