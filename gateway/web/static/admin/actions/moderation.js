/**
 * Moderation: kick, ban, mute or message connections. For one connection the question appears in its place, for up to twenty
 * with their names, for more their number has to be typed. The result is shown: done, already gone, refused.
 */

import { order } from "../api.js";
import { banBy } from "../format.js";
import { byId, make } from "../../shared/dom.js";
import { toast } from "../toast.js";
import { order as words } from "../words.js";

const AT_ONCE = 4;
const NAMED = 20;
const BAN_SECONDS = 600;

/** @param {Admin.Fields} given */
const lasting = ({ seconds }) => (seconds === "" ? {} : { seconds: Number(seconds) });
/** @param {Admin.Fields} given   @param {Admin.Row} connection */
const whom = ({ by, target }, connection) =>
  by === "address" && target ? { address: target } : { connection: connection.id, by: by || banBy(connection.address) };

/** @typedef {"kick" | "ban" | "mute" | "message"} Order */

/** @type {Record<Order, {send: (connection: Admin.Row, fields: Admin.Fields) => Promise<any>}>} */
const ORDERS = {
  kick: {
    send: (connection, { reason, ban, ban_by: by }) =>
      order("DELETE", `/admin/api/connections/${connection.id}`, {
        reason, ...(ban && { ban_seconds: BAN_SECONDS, ban_by: by || banBy(connection.address) }),
      }),
  },
  ban: {
    send: (connection, fields) =>
      order("POST", "/admin/api/bans", {
        ...whom(fields, connection), ...lasting(fields), reason: fields.reason, sure: fields.sure === "on",
      }),
  },
  mute: {
    send: (connection, fields) =>
      order("POST", "/admin/api/mutes", { connection: connection.id, ...lasting(fields), reason: fields.reason }),
  },
  message: {
    send: (connection, { text }) => order("POST", `/admin/api/connections/${connection.id}/message`, { text }),
  },
};

/**
 * Kicks one connection, with the fields of the form in its row.
 * @param {Admin.Row} connection
 * @param {Admin.Fields} fields
 */
export async function kick(connection, fields) {
  await carryOut("kick", [connection], fields, () => false);
}

/**
 * Asks about an order in `place`; resolves when it was carried out or given up.
 * @param {HTMLElement} place
 * @param {Order} action
 * @param {Admin.Row[]} connections
 */
export function askAbout(place, action, connections) {
  const form = byId("order").content.firstElementChild.cloneNode(true);
  const many = connections.length > NAMED;
  const { label } = words[action];
  const names = words.whom(connections.map(({ nick }) => nick));
  form.querySelector(".question").textContent = action === "message" ? words.messageTo(names) : words.question(label, names);
  if (connections.length > 1 && !many) {
    form.querySelector(".targets").append(...connections.map(({ nick, address }) => make("li", {}, make("bdi", {}, nick), ` ${address}`)));
  }
  for (const part of form.querySelectorAll("[data-for]")) {
    const one = connections.length === 1;
    const wanted = part.dataset.for.split(" ").includes(action) && (one || !part.querySelector("select[name$=by]")) && part.dataset.one === undefined;
    if (part.dataset.for === "many" ? !many : !wanted) part.hidden = true;
  }
  for (const select of form.querySelectorAll("select[name$=by]")) select.value = connections.length > 1 ? "" : banBy(connections[0].address);
  form.querySelector("button").textContent = label;
  form.elements.by.addEventListener("change", () => {
    const range = form.elements.target;
    range.closest("label").hidden = form.elements.by.value !== "address";
    range.value ||= connections[0].address;
  });
  place.replaceChildren(form);
  if (place instanceof HTMLDialogElement) place.showModal();
  [...form.elements].find((field) => field.name && !field.closest("[hidden]"))?.focus();
  return new Promise((resolve) => listen(form, place, action, connections, many, resolve));
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement} place
 * @param {Order} action
 * @param {Admin.Row[]} connections
 * @param {boolean} many
 * @param {(outcome: Admin.Outcome | null) => void} resolve
 */
function listen(form, place, action, connections, many, resolve) {
  let stopped = false;
  let running = false;
  /** @param {string} problem */
  const say = (problem) => (form.querySelector(".problem").textContent = problem);
  /** @param {Admin.Outcome | null} outcome */
  const finish = (outcome) => {
    if (place instanceof HTMLDialogElement) place.close();
    place.replaceChildren();
    resolve(outcome);
  };
  const giveUp = () => (running ? (stopped = true) : finish(null));
  form.querySelector("[data-cancel]").addEventListener("click", giveUp);
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    giveUp();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    /** @type {Record<string, any>} */
    const fields = Object.fromEntries(new FormData(form));
    if (many && fields.number.trim() !== String(connections.length)) return say(words.type(connections.length));
    if (action === "message" && !fields.text.trim()) return say(words.nothing);
    running = true;
    form.querySelector(".strong").disabled = true;
    form.querySelector("[data-cancel]").textContent = words.stop;
    const bar = form.querySelector("progress");
    bar.hidden = connections.length === 1;
    bar.max = connections.length;
    const outcome = await carryOut(action, connections, fields, (count) => ((bar.value = count), stopped));
    running = false;
    const doubt = outcome.words?.match(/^(.*): only the dashboard bans it/);
    if (!doubt || outcome.done.length) return finish(outcome);
    form.querySelector(".strong").disabled = false;
    form.querySelector("[data-cancel]").textContent = words.cancel;
    form.elements.sure.closest("label").hidden = false;
    say(words.doubt(doubt[1]));
  });
}

/**
 * @param {(count: number) => boolean} progress  called with the number of finished ones; true: stop
 * @param {Order} action
 * @param {Admin.Row[]} connections
 * @param {Admin.Fields} fields
 */
async function carryOut(action, connections, fields, progress) {
  /** @type {{done: string[], gone: string[], refused: string[], words: string | null}} */
  const outcome = { done: [], gone: [], refused: [], words: null };
  const left = [...connections];
  let through = 0;
  const work = async () => {
    for (let each = left.shift(); each; each = left.shift()) {
      try {
        await ORDERS[action].send(each, fields);
        outcome.done.push(each.id);
      } catch (error) {
        outcome[error.status === 404 ? "gone" : "refused"].push(each.id);
        if (error.status !== 404) outcome.words = error.message;
      }
      if (progress(++through)) left.length = 0;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (!outcome.words?.includes("only the dashboard bans it")) toast(told(action, connections, fields, outcome));
  return outcome;
}

/**
 * @param {Order} action
 * @param {Admin.Row[]} connections
 * @param {Admin.Fields} fields
 * @param {Admin.Outcome} outcome
 */
function told(action, connections, { by, target }, { done, gone, refused, words: why }) {
  const { done: past } = words[action];
  if (connections.length === 1) {
    const nick = by === "address" ? target : connections[0].nick;
    if (done.length) return words.did(nick, past);
    return gone.length ? words.wasGone(nick) : words.refused(why);
  }
  const left = connections.length - done.length - gone.length - refused.length;
  return words.told({ done: done.length, past, gone: gone.length, refused: refused.length, why, left });
}
