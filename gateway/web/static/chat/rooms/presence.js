/** Joins, leaves and new names in words. */

const NAMES_SHOWN = 8;

/** "ana, bo and 3 more", or nothing. */
function names(list) {
  const rest = list.length - NAMES_SHOWN;
  return list.slice(0, NAMES_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
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
  fold.renamed.push(...renamed.map(({ from, to }) => `${from} is now ${to}`));
}

/** @param {Fold} fold */
export function wordsOf(fold) {
  const words = [
    fold.joined.length && `${names(fold.joined)} joined`,
    fold.left.length && `${names(fold.left)} left`,
    ...fold.renamed,
  ];
  return words.filter(Boolean).join("; ");
}
