/** One row of a log, a function for each kind. */

import { make } from "../../shared/dom.js";
import { isIgnored } from "../preferences.js";
import { line, log, message as words } from "../words.js";
import { body, doorOf, timeOf } from "./message.js";
import { nickOf } from "./nick_colour.js";
import { addressOf } from "./tabs.js";

/** Ms for which a line of ours has a tick. */
const TICKED = 2_000;

/**
 * A message that has a number.
 * @param {Server.Msg} message
 * @param {string} me
 * @param {boolean} isOwn
 */
export function messageRow(message, me, isOwn) {
  const row = make("li", "msg");
  row.classList.toggle("ignored", isIgnored(message.nick));
  row.classList.toggle("action", message.kind === "action");
  row.classList.toggle("own", message.nick === me || isOwn);
  Object.assign(row.dataset, { seq: message.seq, ts: message.ts });
  const who = make("span", { className: "who", title: message.nick }, nickOf(message.nick));
  if (message.door === "tcp" || message.door === "telnet") who.append(doorOf("terminal"));
  if (message.door === "http") who.append(doorOf("http"));
  const link = make("a", { className: "at", href: `${addressOf(message.room)}#${message.seq}` }, timeOf(message.ts));
  row.append(who, message.redacted === undefined ? body(message.text, me) : tombstone(message.redacted), link);
  return row;
}

/**
 * The row of a removed message.
 * @param {string} reason
 */
export const tombstone = (reason) => make("div", "text removed", words.removed(reason));

/**
 * Marks a row of ours as committed.
 * @param {Element} row
 */
export function tick(row) {
  const mark = make("span", { className: "mark", title: line.sent }, make("span", "aloud", line.sent));
  row.append(mark);
  setTimeout(() => mark.remove(), TICKED);
}

/**
 * Words of the server or of the page; `kind` is "notice" or "error".
 * @param {string} kind
 * @param {string} text
 */
export function noteRow(kind, text) {
  return make("li", kind, body(text), timeOf(Date.now()));
}

/**
 * A marker for missing messages.
 * @param {number} from
 * @param {number} to
 * @param {(() => void) | null} load  fetches what is missing; null: the server no longer has it
 */
export function hole(from, to, load) {
  const end = load ? make("button", { type: "button", className: "quiet", onclick: load }, log.load) : log.gone;
  return make("li", "marker hole", log.missing(from, to), end);
}

/**
 * The message above; null for the first one.
 * @param {Element} row
 */
export function above(row) {
  let found = row.previousElementSibling;
  while (found && !found.dataset.seq) found = found.previousElementSibling;
  return found;
}

/**
 * The next row that is not a marker.
 * @param {Element} row
 */
export function below(row) {
  let next = row.nextElementSibling;
  while (next?.matches(".marker")) next = next.nextElementSibling;
  return next;
}
