/** The gateway itself: drain a door, refuse newcomers, log more for a while. */

import { ask, order } from "./api.js";
import { moment } from "./format.js";
import { byId, make, toast } from "./page.js";

const LOOK_EVERY = 1_000;
const SURE_WITHIN = 5_000;

const dialog = byId("upkeep");
const [drain, maintenance, level] = dialog.querySelectorAll("form");
const usual = new Map([drain, maintenance].map((form) => [form.querySelector("button"), form.querySelector("button").textContent]));
let timer = 0;
let asking = null; // the form whose button asked: sure?

/** Shows how things are, until the dialog is closed. */
export async function open() {
  dialog.showModal();
  timer = setInterval(show, LOOK_EVERY);
  show();
}

dialog.addEventListener("close", () => clearInterval(timer));
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());

act(drain, () => sure(drain, `Drain ${drain.elements.door.value || "all doors"}: sure?`) && order("POST", "/admin/api/drain", {
  door: drain.elements.door.value || null,
  per_second: Number(drain.elements.per_second.value),
  spread_seconds: Number(drain.elements.spread_seconds.value),
}));
drain.querySelector("[data-cancel]").addEventListener("click", () => attempt(() => order("DELETE", "/admin/api/drain")));
act(maintenance, () => (maintenance.dataset.on === "yes" || sure(maintenance, "Refuse all newcomers: sure?")) && order("POST", "/admin/api/maintenance", {
  on: maintenance.dataset.on !== "yes",
  text: maintenance.dataset.on === "yes" ? "" : maintenance.elements.text.value,
}));
act(level, () => order("POST", "/admin/api/log-level", { level: level.elements.level.value }));

function act(form, way) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(way);
  });
}

/** Whether the button has been pressed twice; the first time it asks. */
function sure(form, question) {
  const button = form.querySelector("button");
  if (asking === form) return !(asking = null);
  asking = form;
  button.textContent = question;
  setTimeout(() => {
    if (asking === form) asking = null;
    button.textContent = usual.get(button);
  }, SURE_WITHIN);
  return false;
}

async function attempt(way) {
  byId("upkeep-problem").textContent = "";
  try {
    if (!(await way())) return;
    toast("Done.");
    await show();
  } catch (error) {
    byId("upkeep-problem").textContent = error.message;
  }
}

async function show() {
  const [draining, closed, log] = await Promise.all(["drain", "maintenance", "log-level"].map((what) => ask(`/admin/api/${what}`)));
  drain.querySelector("[data-cancel]").hidden = draining.state === "ready";
  byId("drain-doors").replaceChildren(
    ...draining.doors.map(({ door, state, total, sent, left }) => {
      const row = make("li", {}, make("span", { className: "door", data: { door } }, ` ${door}`), ` ${state} `);
      if (state !== "ready") row.append(make("progress", { max: total || 1, value: total ? sent : 1, ariaLabel: `${door} drained` }), ` ${sent} of ${total} sent away, ${left} here`);
      return row;
    }),
  );
  maintenance.dataset.on = closed.on ? "yes" : "";
  const button = maintenance.querySelector("button");
  usual.set(button, closed.on ? "Let newcomers in again" : "Refuse newcomers");
  if (asking !== maintenance) button.textContent = usual.get(button);
  byId("maintenance-state").textContent = closed.on ? `Since ${moment(closed.since)} newcomers read: ${closed.text}` : "Newcomers are let in.";
  byId("level-state").textContent = log.until ? `${log.level} until ${moment(log.until)}, then ${log.usual} again.` : `${log.level}, as always.`;
}
