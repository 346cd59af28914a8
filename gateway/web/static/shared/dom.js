/** Finding and making elements. */

/**
 * The element with this id. One that a page may be without is asked for with `?.`.
 * @returns {any}
 */
export const byId = (id) => document.getElementById(id);

/**
 * An element with a class and a text.
 * @returns {any}
 */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
