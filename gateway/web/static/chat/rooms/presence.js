/** Joins, leaves and new names in words. */

import { people as words } from "../words.js";

const NAMES_SHOWN = 8;

/** "ana, bo and 3 more", or nothing. */
function names(list) {
  const rest = list.length - NAMES_SHOWN;
  const shown = list.slice(0, NAMES_SHOWN).join(", ");
  return rest > 0 ? words.more(shown, rest) : shown;
}

/**
 * What has happened since something was said: of somebody who came and went again, nothing.
 * @typedef {{joined: string[], left: string[], renamed: string[]}} Fold
 */

/** @returns {Fold} */
export const nothing = () => ({ joined: [], left: [], renamed: [] });

/**
 * Adds news to `fold`.
 * @param {Fold} fold
 */
export function addTo(fold, { joined = [], left = [], renamed = [] }, me) {
  for (const { nick } of joined) {
    if (fold.left.includes(nick)) fold.left = fold.left.filter((one) => one !== nick);
    else if (nick !== me) fold.joined.push(nick);
  }
  for (const nick of left) {
    if (fold.joined.includes(nick)) fold.joined = fold.joined.filter((one) => one !== nick);
    else fold.left.push(nick);
  }
  fold.renamed.push(...renamed.map(({ from, to }) => words.renamed(from, to)));
}

/** @param {Fold} fold */
export function wordsOf(fold) {
  const parts = [
    fold.joined.length && words.joined(names(fold.joined)),
    fold.left.length && words.left(names(fold.left)),
    ...fold.renamed,
  ];
  return parts.filter(Boolean).join("; ");
}
