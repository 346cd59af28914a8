/**
 * The page by keyboard: F6 goes round its parts; in the log ↑ ↓ Home End go by message, `c` copies the link of one, `C` its
 * words, `m` opens its menu, Enter its link. Loaded when the log gets the focus, or F6 is pressed.
 */

import { byId } from "../../../shared/dom.js";
import { copying as words } from "../words.js";
import { copyText } from "./copying.js";
import * as menu from "./menu.js";
import { linkTo } from "./permalink.js";
import { wordsOf } from "./plain_text.js";

const scroller = byId("scroller");
const REGIONS = [".bar", "#rooms", "#scroller", "#composer", "#people"];
const said = byId("said");

/** @type {import("../../page.js").Page} */
let page;

/** @param {import("../../page.js").Page} itsPage */
export function begin(itsPage) {
  page = itsPage;
  menu.begin(page);
}

/** @param {Element} element */
const isShown = (element) => element.getClientRects().length > 0;

/**
 * @param {string} key
 * @param {Element | null} row
 * @returns {boolean} whether the log has handled the key; `row` is the message with the focus, if any
 */
function walk(key, row) {
  const rows = [...document.querySelectorAll("#log > li:not(.marker)")].filter(isShown);
  const at = row ? rows.indexOf(row) : rows.length;
  const goal = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[key];
  if (goal !== undefined && rows.length) {
    const next = rows[Math.max(0, Math.min(goal, rows.length - 1))];
    next.tabIndex = -1;
    next.focus();
  } else if ((key === "c" || key === "C") && row?.dataset.seq) {
    copyText(key === "c" ? linkTo(page.room, row.dataset.seq) : wordsOf(row), row);
    said.textContent = words.done;
  } else if (key === "m" && row?.dataset.seq) {
    menu.openAt(row);
  } else if (key === "Enter" && row) {
    row.querySelector(".text a")?.click();
  } else {
    return false;
  }
  return true;
}

/**
 * Goes to the next part of the page, and focuses the first control there.
 * @param {number} by
 */
export function nextRegion(by) {
  const shown = REGIONS.map((one) => document.querySelector(one)).filter(isShown);
  const next = shown[(shown.findIndex((one) => one.contains(document.activeElement)) + by + shown.length) % shown.length];
  const inner = { composer: "#message", scroller: "" }[next.id] ?? "a, li button, .bar button";
  (inner && !next.matches("[tabindex]") ? next.querySelector(inner) : next).focus();
}

scroller.addEventListener("keydown", (event) => {
  const row = event.target.closest("#log > li");
  if (event.ctrlKey || event.altKey || event.metaKey || (event.target !== row && event.target !== scroller)) return;
  if (!walk(event.key, row)) return;
  event.preventDefault();
  event.stopPropagation();
});
