/** A dialog with a title and a close button; closing removes it from the page. */

import "../sheet.js";
import { make } from "../../../shared/dom.js";
import { dialog as words } from "../words.js";

/** @param {string} title   @returns {Found} not shown yet */
export function dialog(title) {
  const heading = make("h2", { id: "dialog-title" }, title);
  const close = { type: "button", className: "quiet", aria: { label: words.close }, onclick: () => element.close() };
  const header = make("header", "", heading, make("button", close, "✕"));
  const element = make("dialog", { aria: { labelledby: heading.id } }, header);
  element.addEventListener("click", (event) => event.target === element && element.close()); // a click beside it
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  return element;
}
