/** The maintenance dialog: drain a door, refuse newcomers, log more for a while. */

import { ask, order } from "../api.js";
import { moment } from "../format.js";
import { byId, make } from "../../shared/dom.js";
import { toast } from "../toast.js";
import * as words from "../words.js";

const LOOK_EVERY = 1_000;
const SURE_WITHIN = 5_000;

const dialog = byId("maintenance");
const [drain, maintenance, level] = dialog.querySelectorAll("form");
const usual = new Map([drain, maintenance].map((form) => [form.querySelector("button"), form.querySelector("button").textContent]));
let timer = 0;
/** @type {HTMLFormElement | null} */
let asking = null; // the form whose button asks: sure?
let doubt = 0; // the timer that withdraws the question

/** Without an answer the dialog stays as it is; the page itself says so. */
const look = () => show().catch(() => {});

/** Opens the dialog, and keeps it up to date until it is closed. */
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
  const { door, node, per_second: rate, spread_seconds: spread } = drain.elements;
  if (!sure(drain, words.drain.sure(door.value))) return;
  const body = { door: door.value || null, node: node?.value ?? "", per_second: Number(rate.value), spread_seconds: Number(spread.value) };
  attempt(words.drain.begun(door.value), "POST", "drain", body);
});
drain.querySelector("[data-cancel]").addEventListener("click", () => attempt(words.drain.over, "DELETE", "drain"));
act(maintenance, () => {
  const on = maintenance.dataset.on !== "yes";
  if (on && !sure(maintenance, words.maintenance.sure)) return;
  const body = { on, text: on ? maintenance.elements.text.value : "" };
  attempt(on ? words.maintenance.begun : words.maintenance.ended, "POST", "maintenance", body);
});
act(level, () => attempt(words.log.changed(level.elements.level.value), "POST", "log-level", { level: level.elements.level.value }));

/**
 * Runs an action when a form is submitted; any other input in it withdraws the question.
 * @param {HTMLFormElement} form
 * @param {() => void} action
 */
function act(form, action) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
  form.addEventListener("input", () => asking === form && unask());
}

/**
 * Whether the button was pressed a second time; the first time it asks.
 * @param {HTMLFormElement} form
 * @param {string} question
 */
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
  for (const [button, label] of usual) button.textContent = label;
}

/**
 * @param {string} done
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
async function attempt(done, method, path, body) {
  byId("maintenance-problem").textContent = "";
  try {
    await order(method, `/admin/api/${path}`, body);
    toast(done);
    await show();
  } catch (error) {
    byId("maintenance-problem").textContent = error.message;
  }
}

async function show() {
  const [draining, closed, log] = await Promise.all(["drain", "maintenance", "log-level"].map((what) => ask(`/admin/api/${what}`)));
  drain.querySelector("[data-cancel]").hidden = draining.state === "ready";
  byId("drain-doors").replaceChildren(
    ...draining.doors.map((/** @type {Server.DrainingDoor} */ { door, state, total, sent, left }) => {
      const row = make("li", {}, make("span", { className: "door", data: { door } }, ` ${door}`), ` ${words.health.listener[state] ?? state} `);
      if (state !== "ready") row.append(make("progress", { max: total || 1, value: total ? sent : 1, aria: { label: words.drain.bar(door) } }), words.drain.progress(sent, total, left));
      return row;
    }),
  );
  maintenance.dataset.on = closed.on ? "yes" : "";
  const button = maintenance.querySelector("button");
  usual.set(button, closed.on ? words.maintenance.end : words.maintenance.begin);
  if (asking !== maintenance) button.textContent = usual.get(button);
  byId("maintenance-state").textContent = closed.on ? words.maintenance.on(moment(closed.since), closed.text) : words.maintenance.off;
  byId("level-state").textContent = log.until ? words.log.until(log.level, moment(log.until), log.usual) : words.log.default(log.level);
}
