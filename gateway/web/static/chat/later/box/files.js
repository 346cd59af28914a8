/**
 * Files that are dropped on the page, or pasted: one that is text goes into the box, of others the person is told. Left
 * to itself the browser would show a dropped file in place of the chat, and say nothing of a pasted picture. Loaded right
 * after the page.
 */

import { files as words } from "../words.js";

const hasFiles = (/** @type {DataTransfer | null} */ data) => data?.types.includes("Files") ?? false;

/** @param {import("../../page.js").Page} page */
export function listen(page) {
  addEventListener("dragover", (event) => hasFiles(event.dataTransfer) && event.preventDefault());
  addEventListener("drop", (event) => hasFiles(event.dataTransfer) && take(page, event, event.dataTransfer));
  document.addEventListener("paste", (event) => {
    const data = event.clipboardData;
    if (hasFiles(data) && !data?.types.includes("text/plain")) take(page, event, data); // what is copied from a table is both
  });
}

/**
 * @param {import("../../page.js").Page} page
 * @param {Event} event
 * @param {DataTransfer | null} data
 */
async function take(page, event, data) {
  event.preventDefault();
  if (document.querySelector("dialog[open]")) return;
  const [file, ...others] = data?.files ?? [];
  if (!file || others.length) return page.composer.answer(words.one);
  if (file.size > page.longest) return page.composer.answer(words.tooLong(file.name, page.longest));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    if (text.includes("\0")) page.composer.answer(words.notText(file.name));
    else page.composer.edit(text.replace(/\r\n?/g, "\n").replace(/\n+$/, ""));
  } catch {
    page.composer.answer(words.notText(file.name)); // or a folder
  }
}
