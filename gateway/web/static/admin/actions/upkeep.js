/** The gateway itself: drain a door, refuse newcomers, log more for a while. */

import { ask, order } from "../api.js";
import { moment } from "../format.js";
import { byId } from "../../shared/dom.js";
import { make, toast } from "../page.js";

const LOOK_EVERY = 1_000;
const SURE_WITHIN = 5_000;

const dialog = byId("upkeep");
const [drain, maintenance, level] = dialog.querySelectorAll("form");
const usual = new Map([drain, maintenance].map((form) => [form.querySelector("button"), form.querySelector("button").textContent]));
let timer = 0;
let asking = null; // the form whose button asked: sure?
let doubt = 0; // until it takes that back

/** Without an answer what is shown stays; the page itself tells so. */
const look = () => show().catch(() => {});

/** Shows how things are, until the dialog is closed. */
export async function open() {
  dialog.showModal();
  timer = setInterval(look, LOOK_EVERY);
  look();
}

dialog.addEventListener("close", () => {
  clearInterval(timer);
  unask();
});
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());

act(drain, () => {
  const { door, per_second: rate, spread_seconds: spread } = drain.elements;
  if (!sure(drain, `Drain ${door.value || "all doors"}: sure?`)) return;
  const body = { door: door.value || null, per_second: Number(rate.value), spread_seconds: Number(spread.value) };
  attempt(`Draining ${door.value || "all doors"}`, "POST", "drain", body);
});
drain.querySelector("[data-cancel]").addEventListener("click", () => attempt("The drain is over", "DELETE", "drain"));
act(maintenance, () => {
  const on = maintenance.dataset.on !== "yes";
  if (on && !sure(maintenance, "Refuse all newcomers: sure?")) return;
  const body = { on, text: on ? maintenance.elements.text.value : "" };
  attempt(on ? "Newcomers are refused" : "Newcomers are let in", "POST", "maintenance", body);
});
act(level, () => attempt(`Logging ${level.elements.level.value}`, "POST", "log-level", { level: level.elements.level.value }));

/** Does something when a form is sent; another choice in it takes a question back. */
function act(form, action) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
  form.addEventListener("input", () => asking === form && unask());
}

/** Whether the button has been pressed twice; the first time it asks. */
function sure(form, question) {
  const again = asking === form;
  unask();
  if (again) return true;
  asking = form;
  form.querySelector("button").textContent = question;
  doubt = setTimeout(unask, SURE_WITHIN);
  return false;
}

function unask() {
  clearTimeout(doubt);
  asking = null;
  for (const [button, words] of usual) button.textContent = words;
}

async function attempt(done, method, path, body) {
  byId("upkeep-problem").textContent = "";
  try {
    await order(method, `/admin/api/${path}`, body);
    toast(done);
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
      if (state !== "ready") row.append(make("progress", { max: total || 1, value: total ? sent : 1, aria: { label: `${door} drained` } }), ` ${sent} of ${total} sent away, ${left} here`);
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
