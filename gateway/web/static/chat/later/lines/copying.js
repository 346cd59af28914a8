/** Copying: copy buttons, and selected lines of the log. Loaded when something is first selected or pressed. */

import { clock } from "../../preferences.js";
import { copying as words } from "../words.js";
import { textOf } from "./plain_text.js";

/**
 * Copies what a copy button is for: the element it names, or the code block it is in.
 * @param {Found} button
 */
export async function copy(button) {
  const source = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.previousElementSibling;
  await copyText(source.textContent, source);
  button.textContent = words.done;
  setTimeout(() => (button.textContent = words.again), 2_000);
}

/**
 * Copies a text. Without TLS there is no clipboard: then the element `shown`, which has the text, is selected and copied.
 * @param {string} text
 * @param {Node} shown
 */
export async function copyText(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection()?.selectAllChildren(shown);
    document.execCommand("copy");
  }
}

/** Copies several lines as a terminal shows them, each with time and author; a part of one line as it is. */
document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (event.target?.closest?.("input, textarea") || !selection || selection.isCollapsed) return;
  const rows = [...document.querySelectorAll("#log > li:not(.marker)")].filter((row) => selection.containsNode(row, true));
  if (rows.length < 2) return;
  event.preventDefault();
  const lines = rows.map((row) => `[${clock(Date.parse(row.querySelector("time")?.dateTime))}] ${textOf(row)}`);
  event.clipboardData?.setData("text/plain", lines.join("\n"));
});
