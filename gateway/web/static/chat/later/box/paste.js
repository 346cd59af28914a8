/** Asks how to paste many lines. Loaded when that happens for the first time. */

import "../sheet.js";
import { byId, make } from "../../../shared/dom.js";
import { paste as words } from "../words.js";

const MOST_SHOWN = 2;
const bar = byId("ask");

/**
 * Asks above the box, with the first lines to look at. Esc cancels, wherever the focus is.
 * @param {string} text
 * @param {string} before  the text before it in the box
 * @returns {Promise<string>} the text to insert; empty for nothing
 */
export function ask(text, before) {
  const lines = text.split("\n");
  const begin = before === "" || before.endsWith("\n") ? "" : "\n";
  const choices = {
    [words.asCode]: `${begin}\`\`\`\n${text}\n\`\`\`\n`,
    [words.asLines(lines.length)]: text,
    [words.cancel]: "",
  };
  return new Promise((resolve) => {
    /** @param {string} chosen */
    const choose = (chosen) => {
      bar.hidden = true;
      document.removeEventListener("keydown", escape, true);
      resolve(chosen);
    };
    /** @param {KeyboardEvent} event */
    const escape = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      choose("");
    };
    /** @param {[string, string]} given */
    const buttonOf = ([word, chosen]) => make("button", { type: "button", onclick: () => choose(chosen) }, word);
    const buttons = Object.entries(choices).map(buttonOf);
    document.addEventListener("keydown", escape, true);
    const preview = make("pre", "muted", lines.slice(0, MOST_SHOWN).join("\n"));
    bar.replaceChildren(make("span", "", words.question(lines.length)), ...buttons, preview);
    bar.hidden = false;
    buttons[0].focus();
  });
}
