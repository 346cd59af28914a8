/** Small words for the page: make, say. */

import { byId } from "../shared/dom.js";

const TOAST_FOR = 8_000;

/**
 * An element with properties and children; texts are texts.
 * @param {string} name
 * @param {Record<string, any>} properties
 * @param {...(string | Node)} children
 * @returns {any}
 */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  const { data = {}, aria = {}, ...rest } = properties;
  Object.assign(element, rest);
  Object.assign(element.dataset, data);
  for (const [key, value] of Object.entries(aria)) element.setAttribute(`aria-${key}`, value);
  element.append(...children);
  return element;
}

/** Tells what came of an action; read aloud too. */
export function toast(words) {
  const line = make("p", {}, words);
  byId("toasts").append(line);
  setTimeout(() => line.remove(), TOAST_FOR);
}
