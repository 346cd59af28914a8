/** What is done to all connections that the filter matches, at a set rate: asked about, begun, watched, stopped. */

import { ask, order } from "./api.js";
import { byId, make, toast } from "./page.js";

const LOOK_EVERY = 500;
const PAST = { kick: "kicked", ban: "banned", mute: "muted", message: "told" };

const dialog = byId("campaign");
const form = dialog.querySelector("form");
const strip = byId("campaign-strip");
let asked = { q: "", count: 0 };

dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
form.elements.action.addEventListener("change", adapt);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});

/** Asks what to do to so many connections. */
export function open(q, count) {
  asked = { q, count };
  byId("campaign-question").textContent = `${count} connections match ${q ? `‘${q}’` : "(everybody)"}. Who comes later is not hit; operators are left out.`;
  form.reset();
  say("");
  adapt();
  dialog.showModal();
}

function adapt() {
  const action = form.elements.action.value;
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(action);
}

const say = (words) => (byId("campaign-problem").textContent = words);

async function begin() {
  const { action, reason, text, seconds, per_second: rate, number } = form.elements;
  if (number.value.trim() !== String(asked.count)) return say(`Type ${asked.count} to go on.`);
  const lasting = ["ban", "mute"].includes(action.value) && seconds.value ? { seconds: Number(seconds.value) } : {};
  const words = action.value === "message" ? { text: text.value } : { reason: reason.value };
  try {
    const body = { action: action.value, q: asked.q, expected: asked.count, per_second: Number(rate.value), ...words, ...lasting };
    const campaign = await order("POST", "/admin/api/campaigns", body);
    dialog.close();
    follow(campaign);
  } catch (error) {
    say(error.message);
  }
}

/** Shows how far a campaign is until it has ended. */
async function follow(campaign) {
  const bar = make("progress", { max: campaign.total || 1, ariaLabel: "Progress" });
  const words = make("span");
  const stop = make("button", { type: "button" }, "Stop");
  stop.addEventListener("click", () => order("DELETE", `/admin/api/campaigns/${campaign.id}`).catch((error) => toast(error.message)));
  strip.replaceChildren(bar, words, stop);
  strip.hidden = false;
  while (campaign.state === "running") {
    bar.value = campaign.total - campaign.left;
    words.textContent = `${campaign.total - campaign.left} of ${campaign.total}, ${campaign.per_second} a second`;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    campaign = await ask(`/admin/api/campaigns/${campaign.id}`).catch(() => campaign);
  }
  strip.hidden = true;
  const { action, done, gone, refused, spared, left, problem } = campaign;
  const parts = [`${done} ${PAST[action]}`];
  if (gone) parts.push(`${gone} gone already`);
  if (refused) parts.push(`${refused} refused`);
  if (spared) parts.push(`${spared} operators left out`);
  if (left) parts.push(`stopped before the other ${left}`);
  if (problem) parts.push(problem);
  toast(parts.join(" · "));
}
