/** What is to become of many lines that were pasted at once. Fetched when that happens. */

import "../sheet.js";
import { make } from "../../../shared/dom.js";
import { paste as words } from "../words.js";

const MOST_SHOWN = 2;
const bar = document.getElementById("ask");

/**
 * Asks above the box, with the first lines to look at. Esc cancels, wherever the focus is.
 * @param {string} text
 * @param {string} before  what stands before it in the box
 * @returns {Promise<string>} what goes into the box; empty for nothing
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
    const choose = (chosen) => {
      bar.hidden = true;
      document.removeEventListener("keydown", escape, true);
      resolve(chosen);
    };
    const escape = (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      choose("");
    };
    const buttons = Object.entries(choices).map(([word, chosen]) => {
      const button = make("button", "", word);
      button.type = "button";
      button.addEventListener("click", () => choose(chosen));
      return button;
    });
    document.addEventListener("keydown", escape, true);
    const preview = make("pre", "muted", lines.slice(0, MOST_SHOWN).join("\n"));
    bar.replaceChildren(make("span", "", words.question(lines.length)), ...buttons, preview);
    bar.hidden = false;
    buttons[0].focus();
  });
}
