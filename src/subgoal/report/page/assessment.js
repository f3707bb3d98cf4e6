"use strict";
const chosen = (id) => document.getElementById(id).value;
const filter = () => {
  let shown = 0;
  for (const path of document.querySelectorAll("details.path")) {
    let here = 0;
    for (const turn of path.querySelectorAll(".turn")) {
      const sides = [...turn.querySelectorAll("[data-agent]")].filter((side) => {
        side.hidden = chosen("agent") && side.dataset.agent !== chosen("agent");
        return !side.hidden;
      });
      const fits = !chosen("right") || sides.some((side) => side.dataset.right === chosen("right"));
      turn.hidden = !(fits && (!chosen("tool") || turn.dataset.tool === chosen("tool")));
      here += !turn.hidden;
    }
    path.hidden = !here;
    const all = path.querySelectorAll(".turn").length;
    path.querySelector(".meta").textContent = here === all ? `${all} turns` : `${here} of ${all} turns`;
    shown += here;
  }
  document.getElementById("shown").textContent = `${shown} turns`;
};
for (const id of ["agent", "right", "tool"])
  document.getElementById(id).addEventListener("change", filter);
document.getElementById("controls").hidden = false;
filter();
