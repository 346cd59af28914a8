/** The rows of a log, one function for each kind. */

import { make } from "../../shared/dom.js";
import { isIgnored } from "../preferences.js";
import { line, log, message as words } from "../words.js";
import { body, doorOf, nickOf, timeOf } from "./message.js";

/** A message that has a number. */
export function messageRow(message, me, isOwn) {
  const row = make("li", "msg");
  row.classList.toggle("ignored", isIgnored(message.nick));
  row.classList.toggle("action", message.kind === "action");
  row.classList.toggle("own", message.nick === me || isOwn);
  Object.assign(row.dataset, { seq: message.seq, ts: message.ts });
  const who = make("span", "who");
  who.append(nickOf(message.nick));
  if (message.door === "tcp" || message.door === "telnet") who.append(doorOf("terminal"));
  if (message.door === "http") who.append(doorOf("http"));
  row.append(who, body(message.text, me), timeOf(message.ts));
  if (isOwn) tick(row);
  return row;
}

/** Marks a row of ours: it is committed. */
export function tick(row) {
  if (row.querySelector(".mark")) return;
  const mark = make("span", "mark");
  mark.title = line.sent;
  mark.append(make("span", "aloud", line.sent));
  row.append(mark);
}

/** Words of the server, or of the page: kind is "notice" or "error". */
export function noteRow(kind, text) {
  const row = make("li", kind);
  row.append(body(text), timeOf(Date.now()));
  return row;
}

/** A private message, which has no number. */
export function whisperRow({ from, to, ts, text }, me) {
  const row = make("li", "msg private");
  const who = make("span", "who");
  if (from === me) who.append(words.to, nickOf(to));
  else who.append(nickOf(from), words.from);
  row.append(who, body(text, me), timeOf(ts));
  row.dataset.ts = ts;
  return row;
}

/**
 * A hole in the numbers.
 * @param {number} from
 * @param {number} to
 * @param {(() => void) | null} load  fetches what is missing; null = the server has it no more
 */
export function hole(from, to, load) {
  const row = make("li", "marker hole", log.missing(from, to));
  if (!load) {
    row.append(log.gone);
    return row;
  }
  const button = make("button", "quiet", log.load);
  button.type = "button";
  button.addEventListener("click", load);
  row.append(button);
  return row;
}

/** The row above, without the markers between; undefined for the first one. */
export function above(row) {
  let found = row.previousElementSibling;
  while (found && !found.dataset.seq) found = found.previousElementSibling;
  return found;
}

/** The next row that is no marker. */
export function below(row) {
  let next = row.nextElementSibling;
  while (next?.matches(".marker")) next = next.nextElementSibling;
  return next;
}
