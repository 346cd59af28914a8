/** The colours of names: which one a name gets, and keeps, in this browser. */

import { make } from "../../shared/dom.js";
import { isTexts, recall, remember } from "../../shared/storage.js";

const HUES = 12;
const COLOURS = 2 * HUES; // each hue in two tones
/** The name that each colour has in this browser, in lower case; empty: none. */
const owners = recall("localStorage", "colours", isTexts) ?? [];

/**
 * The colour of a name: the one of its FNV-1a hash, or the next free one. A name keeps its colour.
 * @param {string} name
 */
function colourOf(name) {
  const known = owners.indexOf(name);
  if (known >= 0) return known % COLOURS;
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ /** @type {number} */ (character.codePointAt(0)), 0x01000193);
  let colour = (hash >>> 0) % COLOURS;
  for (let step = 0; step < COLOURS && owners[colour]; step += 1) colour = (colour + 7) % COLOURS;
  owners[colour] = name;
  remember("localStorage", "colours", Array.from(owners, (owner) => owner ?? ""));
  return colour;
}

/**
 * A nick in its colour.
 * @param {string} nick
 */
export function nickOf(nick) {
  const colour = colourOf(nick.toLowerCase());
  const element = make("bdi", colour < HUES ? "nick" : "nick soft", nick);
  element.style.setProperty("--hue", 15 + 30 * (colour % HUES));
  return element;
}
