/** Keyboard shortcuts, their list, and the theme, on every page of the dashboard. Every shortcut has a button too. */

import { at } from "../shared/address.js";
import { byId } from "../shared/dom.js";
import { isYesOrNo, recall, remember } from "../shared/storage.js";

/** @type {Record<string, string>} */
const PAGES = { c: "/admin", b: "/admin/bans", a: "/admin/audit", r: "/admin/rooms", s: "/admin/sessions" };
const TWO_KEYS = 1_500;

const actions = new Map();
let went = 0; // when `g` was pressed

/**
 * Binds a key to an action, which returns false where it does not apply.
 * @param {string} key
 * @param {(event: KeyboardEvent) => unknown} action
 */
export function onKey(key, action) {
  actions.set(key, action);
}

/** @param {any} element */
const typing = (element) => element.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
const openDialog = () => document.querySelector("dialog[open]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape") return closeMenu() || actions.get("Escape")?.(event);
  if (!byId("keys-on").checked || typing(event.target) || openDialog()) return;
  if (went > Date.now() - TWO_KEYS) {
    went = 0;
    if (event.key === "e" && byId("events-title")) return jump(byId("events-title"));
    if (event.key === "e") location.assign(at("/admin#events-title"));
    if (PAGES[event.key]) location.assign(at(PAGES[event.key]));
    return;
  }
  if (event.key === "g") return (went = Date.now());
  const action = actions.get(event.key);
  if (action && action(event) !== false) event.preventDefault();
});

/** Closes the open menu; returns whether there was one. */
function closeMenu() {
  const menu = document.querySelector("details:is(.menu, .words)[open]");
  if (!menu) return false;
  menu.open = false;
  menu.querySelector("summary").focus();
  return true;
}

/** @param {Element} element */
function jump(element) {
  element.focus();
  element.scrollIntoView({ block: "start" });
}

const list = byId("keys");
onKey("?", () => list.showModal());
onKey("/", () => byId("q")?.focus());
byId("keys-button").addEventListener("click", () => list.showModal());
byId("keys-on").checked = recall("localStorage", "keys", isYesOrNo) ?? true;
byId("keys-on").addEventListener("change", () => remember("localStorage", "keys", byId("keys-on").checked));

const theme = byId("theme");
theme.value = document.documentElement.dataset.theme ?? "";
theme.addEventListener("change", () => {
  document.documentElement.dataset.theme = theme.value;
  remember("localStorage", "theme", theme.value);
  document.dispatchEvent(new Event("theme"));
});
