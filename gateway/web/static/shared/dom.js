/** Finding and making elements. */

/**
 * The element with this id. Where a page may lack it, callers use `?.`.
 * @param {string} id
 * @returns {Found}
 */
export const byId = (id) => /** @type {any} */ (document.getElementById(id));

/**
 * An element. `given` is its class, or its properties, with `data` and `aria` as objects of their own.
 * @param {string} tag
 * @param {string | Record<string, any>} given
 * @param {...(string | Node)} children
 * @returns {Found}
 */
export function make(tag, given = "", ...children) {
  const element = /** @type {any} */ (document.createElement(tag));
  /** @type {Record<string, any>} */
  const { data, aria, ...properties } = typeof given === "string" ? { className: given } : given;
  Object.assign(element, properties);
  Object.assign(element.dataset, data);
  for (const key in aria) element.setAttribute(`aria-${key}`, aria[key]);
  element.append(...children);
  return element;
}
