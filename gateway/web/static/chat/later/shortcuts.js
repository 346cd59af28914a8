/**
 * The keyboard shortcuts of the whole page. Loaded right after the page, with what must be there at once when it is wanted:
 * while it was on its way, what is typed would get into the message box.
 */

import { byId } from "../../shared/dom.js";
import { isComposing } from "../composer.js";
import { listen as takeFiles } from "./box/files.js";
import "./box/paste.js";
import "./box/typing.js";
import "./commands.js";
import { open as openKeys } from "./dialogs/keylist.js";
import { open as openPalette } from "./dialogs/palette.js";
import { step } from "./switch_rooms.js";

/**
 * @param {import("../page.js").Page} page
 * @param {(event: KeyboardEvent) => void} early  has listened for the palette's key meanwhile
 */
export function listen(page, early) {
  takeFiles(page);
  removeEventListener("keydown", early);
  /** @type {Record<string, (event: KeyboardEvent) => unknown>} */
  const actions = {
    "Ctrl+k": () => openPalette(page), // at once: the letters that follow are for it, not for the message box
    "Ctrl+/": openKeys,
    "Alt+ArrowUp": () => step(page, -1),
    "Alt+ArrowDown": () => step(page, 1),
    "Alt+a": () => step(page, 1, (room) => room.unread),
    F6: async (event) => (await page.fetch("keyboard"))?.nextRegion(event.shiftKey ? -1 : 1),
    PageUp: () => scroll(-1),
    PageDown: () => scroll(1),
  };
  document.addEventListener("keydown", (event) => {
    if (isComposing(event) || document.querySelector("dialog[open]")) return;
    const name = nameOf(event);
    if (name === "Escape") page.escape();
    else if (Object.hasOwn(actions, name) && (!name.startsWith("Page") || event.target?.id === "message")) {
      event.preventDefault();
      actions[name](event);
    } else if (name.length === 1 && name !== " " && isLoose(event.target)) page.composer.focus();
  });
}

/** @param {KeyboardEvent} event */
function nameOf(event) {
  const key = event.altKey && event.code === "KeyA" ? "a" : event.key.replace(/^.$/, (/** @type {string} */ one) => one.toLowerCase());
  return [event.ctrlKey || event.metaKey ? "Ctrl" : "", event.altKey ? "Alt" : "", key].filter(Boolean).join("+");
}

/**
 * Whether a letter typed there would have no effect.
 * @param {any} target
 */
const isLoose = (target) => target === document.body || (byId("scroller").contains(target) && !target.closest("button"));

/** @param {number} by */
function scroll(by) {
  byId("scroller").scrollBy(0, by * 0.9 * byId("scroller").clientHeight);
}
