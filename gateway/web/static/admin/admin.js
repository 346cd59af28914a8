/** The start of every page of the dashboard. */

import "./keys.js";
import { localise } from "./format.js";
import { byId } from "../shared/dom.js";
import { page as words } from "./words.js";

localise(document);
for (const line of byId("toasts").children) setTimeout(() => line.remove(), 8_000);
if (location.search.includes("result=")) {
  const clean = new URL(location.href);
  clean.searchParams.delete("result");
  history.replaceState(history.state, "", clean);
}
document.addEventListener("click", (event) => {
  const copy = event.target?.closest("[data-copy]");
  if (!copy) return;
  const code = copy.parentElement.querySelector("code");
  navigator.clipboard?.writeText(code.textContent);
  copy.textContent = words.copied;
});
// A menu that would reach beyond the window is scrolled into view.
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (target instanceof HTMLDetailsElement && target.open) target.querySelector(".float, #words")?.scrollIntoView({ block: "nearest" });
  },
  true,
);
// A menu closes when something else is clicked.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details:is(.menu, .words)[open]")) {
    if (!menu.contains(/** @type {Node} */ (event.target)) || event.target?.closest("#more button")) menu.open = false;
  }
});
