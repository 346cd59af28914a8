import { copying as words } from "./words.js";

/** Copies what a copy button stands for: the element it names, or the code block it stands in. */
export async function copy(button) {
  const source = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    getSelection().selectAllChildren(source); // no clipboard without TLS: select, then the old way
    document.execCommand("copy");
  }
  button.textContent = words.done;
  setTimeout(() => (button.textContent = words.again), 2_000);
}
