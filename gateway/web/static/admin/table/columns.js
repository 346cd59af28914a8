/** The columns of the table in each of its states. The choice is kept in this browser. */

import { byId, make } from "../../shared/dom.js";
import { table as words } from "../words.js";
import { isTexts, recall, remember } from "../../shared/storage.js";

const all = [...byId("heads").content.querySelectorAll("th")].map((head) => ({
  head,
  label: head.textContent,
  ...head.dataset,
}));

/** Every column: {field, label, shown, first, second}. */
export const columns = all;

/** @param {string} state */
const usual = (state) => all.filter(({ on }) => on.split(" ").includes(state)).map(({ field }) => field);
/** @param {string[]} some   @param {string[]} others */
const same = (some, others) => some.length === others.length && some.every((field) => others.includes(field));

/**
 * The columns that are shown in a state, in their order.
 * @param {string} state
 */
export function chosen(state) {
  const fields = recall("localStorage", `columns ${state}`, isTexts) ?? usual(state);
  return all.filter(({ field }) => fields.includes(field));
}

/**
 * Draws the list in which each column can be switched on and off.
 * @param {string} state
 * @param {() => void} onChange
 */
export function offer(state, onChange) {
  const shown = chosen(state).map(({ field }) => field);
  /** @param {string[]} fields */
  const choose = (fields) => {
    if (same(fields, usual(state))) remember("localStorage", `columns ${state}`, "");
    else remember("localStorage", `columns ${state}`, fields);
    onChange();
  };
  const boxes = all.map(({ field, label }) => {
    const box = make("input", { type: "checkbox", checked: shown.includes(field), value: field });
    box.addEventListener("change", () => choose(boxes.filter((each) => each.checked).map((each) => each.value)));
    return Object.assign(box, { words: label });
  });
  const reset = make("button", { type: "button", className: "quiet" }, words.reset);
  reset.addEventListener("click", () => {
    for (const box of boxes) box.checked = usual(state).includes(box.value);
    choose(usual(state));
  });
  byId("column-list").replaceChildren(...boxes.map((box) => make("label", { className: "check" }, box, ` ${box.words}`)), reset);
}
