/** What is to become of many lines that were pasted at once. Fetched when that happens. */

import { make } from "../../shared/dom.js";

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
    "as a code block": `${begin}\`\`\`\n${text}\n\`\`\`\n`,
    [`as ${lines} lines`]: text,
    cancel: "",
  };
  const buttons = Object.entries(choices).map(([word, words]) => {
    const button = make("button", "", word);
    button.type = "button";
    button.addEventListener("click", () => {
      bar.hidden = true;
      insert(words);
    });
    return button;
  });
  bar.replaceChildren(`Paste ${lines} lines?`, ...buttons);
  bar.hidden = false;
  buttons[0].focus();
}
