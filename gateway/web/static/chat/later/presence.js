/** Joins, leaves and new names as a row of the log. Loaded with the first of them. */

import { make } from "../../shared/dom.js";
import { settings } from "../preferences.js";
import { timeOf } from "../rooms/message.js";
import { presence as words } from "./words.js";

const NAMES_SHOWN = 8;

/**
 * What has happened since the last message; nothing of somebody who joined and left again.
 * @typedef {{joined: string[], left: string[], renamed: string[]}} Fold
 */

/** @type {WeakMap<HTMLElement, Fold>} */
const folds = new WeakMap();

/**
 * Shows the news at the end of a log; folded into the last row while nothing else was said.
 * @param {import("../rooms/rows.js").RowList} rows
 * @param {Chat.News} news
 * @param {string} me
 */
export function show(rows, news, me) {
  const last = rows.element.lastElementChild;
  const isFold = settings.joins !== "show" && last?.matches(".presence");
  const row = isFold ? last : make("li", "presence");
  const fold = folds.get(row) ?? { joined: [], left: [], renamed: [] };
  addTo(fold, news, me);
  folds.set(row, fold);
  const told = wordsOf(fold);
  row.setAttribute("aria-live", "off");
  row.replaceChildren(make("div", "text", told), timeOf(Date.now()));
  if (!told) row.remove();
  else if (isFold) rows.view.stick();
  else rows.append(row);
}

/**
 * "ana, bo and 3 more", or nothing.
 * @param {string[]} list
 */
function names(list) {
  const rest = list.length - NAMES_SHOWN;
  const shown = list.slice(0, NAMES_SHOWN).join(", ");
  return rest > 0 ? words.more(shown, rest) : shown;
}

/** @param {Fold} fold   @param {Partial<Server.Presence>} given   @param {string} me */
function addTo(fold, { joined = [], left = [], renamed = [] }, me) {
  for (const { nick } of joined) {
    if (fold.left.includes(nick)) fold.left = fold.left.filter((one) => one !== nick);
    else if (nick !== me) fold.joined.push(nick);
  }
  for (const nick of left) {
    if (fold.joined.includes(nick)) fold.joined = fold.joined.filter((one) => one !== nick);
    else fold.left.push(nick);
  }
  for (const { from, to } of renamed) {
    const at = fold.joined.indexOf(from);
    if (at >= 0) fold.joined[at] = to;
    else if (!fold.joined.includes(to)) fold.renamed.push(words.renamed(from, to));
  }
}

/** @param {Fold} fold */
function wordsOf(fold) {
  const parts = [
    fold.joined.length && words.joined(names(fold.joined)),
    fold.left.length && words.left(names(fold.left)),
    ...fold.renamed,
  ];
  return parts.filter(Boolean).join("; ");
}
