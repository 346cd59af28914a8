/** A dialog with a title and a way out; it is gone from the page when it is closed. */

import "../sheet.js";
import { make } from "../../../shared/dom.js";
import { dialog as words } from "../words.js";

/** @returns {HTMLDialogElement} not shown yet */
export function dialog(title) {
  const element = make("dialog");
  element.setAttribute("aria-labelledby", "dialog-title");
  const heading = make("h2", "", title);
  heading.id = "dialog-title";
  const close = make("button", "quiet", "✕");
  close.type = "button";
  close.setAttribute("aria-label", words.close);
  close.addEventListener("click", () => element.close());
  const header = make("header");
  header.append(heading, close);
  element.append(header);
  element.addEventListener("click", (event) => event.target === element && element.close()); // beside it
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  return element;
}
