"use strict";
// Which of the episodes that the page carries is stepped through.
(() => {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("episodes").textContent);
  if (!data.length) return;
  const stepper = new Stepper(at("episode"));
  const options = (select, values) => {
    select.replaceChildren(...values.map(([value, text]) => {
      const option = make("option", "", text);
      option.value = value;
      return option;
    }));
  };
  const player = (one) => one.agent + "/" + one.protocol;
  const tasks = [...new Map(data.map((one) => [one.task, one])).values()];
  options(at("task"), tasks.map((one) => [one.task, `${one.name}, variation ${one.variation}`]));
  const open = (episode) => {
    at("agent").value = player(episode);
    stepper.open(episode);
  };
  const choose = (task, agent) => {
    const played = data.filter((one) => one.task === task);
    options(at("agent"), played.map((one) => [player(one), `${one.label} (score ${one.score})`]));
    open(played.find((one) => player(one) === agent) || played[0]);
  };
  at("task").addEventListener("change", () => choose(at("task").value, at("agent").value));
  at("agent").addEventListener("change", () => {
    open(data.find((one) => one.task === at("task").value && player(one) === at("agent").value));
  });
  document.addEventListener("keydown", (event) => { if (!typing(event)) stepper.key(event); });
  at("viewer").hidden = false;
  choose(data[0].task, "");
})();
