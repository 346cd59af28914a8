/** Tells the operator what came of an action. */

import { byId, make } from "../shared/dom.js";

const TOAST_FOR = 8_000;

/**
 * Tells what came of an action; read aloud too.
 * @param {string} words
 */
export function toast(words) {
  const line = make("p", {}, words);
  byId("toasts").append(line);
  setTimeout(() => line.remove(), TOAST_FOR);
}
