/** Campaigns: an action on all connections that the filter matches, at a set rate. Asks, begins, follows and stops them. */

import { ask, order } from "../api.js";
import { put } from "../format.js";
import { byId, make } from "../../shared/dom.js";
import { toast } from "../toast.js";
import { campaign as words, order as orders } from "../words.js";

const LOOK_EVERY = 500;
const RETRY = 5_000;

const dialog = byId("campaign");
const form = dialog?.querySelector("form");
const strip = byId("campaign-strip");
const mayStop = dialog !== null;
let asked = { q: "", count: 0 };
let followed = new Set(); // the ids of those whose end will be reported
let watching = false;

dialog?.querySelector("[data-close]").addEventListener("click", () => dialog.close());
form?.elements.action.addEventListener("change", adapt);
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});

/**
 * Asks what to do to `count` connections.
 * @param {string} q
 * @param {number} count
 */
export function open(q, count) {
  asked = { q, count };
  byId("campaign-question").textContent = words.question(count, q);
  form.reset();
  say("");
  adapt();
  dialog.showModal();
}

function adapt() {
  const action = form.elements.action.value;
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(action);
}

/** @param {string} problem */
const say = (problem) => (byId("campaign-problem").textContent = problem);

async function begin() {
  const { action, reason, text, seconds, per_second: rate, number } = form.elements;
  if (number.value.trim() !== String(asked.count)) return say(orders.type(asked.count));
  const lasting = ["ban", "mute"].includes(action.value) && seconds.value ? { seconds: Number(seconds.value) } : {};
  const said = action.value === "message" ? { text: text.value } : { reason: reason.value };
  try {
    const body = { action: action.value, q: asked.q, expected: asked.count, per_second: Number(rate.value), ...said, ...lasting };
    const campaign = await order("POST", "/admin/api/campaigns", body);
    dialog.close();
    followed.add(campaign.id);
    watch();
  } catch (error) {
    say(error.message);
  }
}

/** Shows the progress of the running campaigns, whoever began them, until all have ended. */
export async function watch() {
  if (watching) return;
  watching = true;
  while (watching) {
    const all = document.hidden ? null : await ask("/admin/api/campaigns").catch(() => null);
    if (all) show(all.campaigns);
    watching = !all || followed.size > 0;
    if (watching) await new Promise((resolve) => setTimeout(resolve, all ? LOOK_EVERY : RETRY));
  }
}

/** @param {Server.BulkRow[]} campaigns */
function show(campaigns) {
  const running = campaigns.filter(({ state }) => state === "running");
  for (const campaign of campaigns) if (campaign.state !== "running" && followed.delete(campaign.id)) toast(told(campaign));
  followed = new Set(running.map(({ id }) => id));
  for (const line of [...strip.children]) if (!followed.has(line.dataset.id)) line.remove();
  for (const campaign of running) draw(campaign);
  strip.hidden = running.length === 0;
}

/** @param {Server.BulkRow} given */
function draw({ id, action, q, total, left, per_second: rate, operator }) {
  const line = strip.querySelector(`[data-id="${id}"]`) ?? strip.appendChild(lineOf(id));
  const [bar, label] = line.children;
  bar.max = total || 1;
  bar.value = total - left;
  put(label, words.running(action, q, total - left, total, rate, operator));
}

/** @param {string} id */
function lineOf(id) {
  const line = make("div", { data: { id } }, make("progress", { aria: { label: words.progress } }), make("span"));
  if (mayStop) {
    const stop = make("button", { type: "button" }, orders.stop);
    stop.addEventListener("click", () => order("DELETE", `/admin/api/campaigns/${id}`).catch((error) => toast(error.message)));
    line.append(stop);
  }
  return line;
}

/** @param {Server.BulkRow} given */
function told({ action, operator, ...outcome }) {
  const by = operator === document.body.dataset.name ? "" : operator;
  return orders.told({ by, past: orders[/** @type {Server.Action} */ (action)].done, ...outcome });
}
