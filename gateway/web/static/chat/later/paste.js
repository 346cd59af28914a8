/** What is to become of many lines that were pasted at once. Fetched when that happens. */

import "./sheet.js";
import { make } from "../../shared/dom.js";
import { paste as words } from "./words.js";

const bar = document.getElementById("ask");

/**
 * @param {string} text
 * @param {string} before  what stands before it in the box
 * @param {(text: string) => void} insert  puts it there if it is something, and goes back to the box
 */
export function ask(text, before, insert) {
  const lines = text.split("\n").length;
  const begin = before === "" || before.endsWith("\n") ? "" : "\n";
  const choices = {
    [words.asCode]: `${begin}\`\`\`\n${text}\n\`\`\`\n`,
    [words.asLines(lines)]: text,
    [words.cancel]: "",
  };
  const buttons = Object.entries(choices).map(([word, chosen]) => {
    const button = make("button", "", word);
    button.type = "button";
    button.addEventListener("click", () => {
      bar.hidden = true;
      insert(chosen);
    });
    return button;
  });
  bar.replaceChildren(words.question(lines), ...buttons);
  bar.hidden = false;
  buttons[0].focus();
}
