/** Long texts: showing the beginning of one, and posting one that is too long for a frame. */

import "./sheet.js";
import { at } from "../../shared/address.js";
import { make } from "../../shared/dom.js";
import { body } from "../rooms/message.js";
import { error } from "./events.js";
import { long as words } from "./words.js";

const FENCE = "```";

/**
 * The text, with an unfinished code block closed.
 * @param {string} text
 */
const closed = (text) => (text.split(FENCE).length % 2 ? text : `${text}\n${FENCE}`);

/**
 * Adds how much follows to the beginning of a long text, and opens the rest there or in a new tab.
 * @param {HTMLElement} row
 * @param {Server.Msg & {paste: Server.PasteSize}} message
 * @param {import("../rooms/view.js").View} view
 */
export function fold(row, { room, seq, text, paste }, view) {
  const shown = row.querySelector(".text");
  const left = paste.lines - text.split("\n").length;
  const address = at(`/r/${room}/paste/${seq}`);
  const more = left > 0 ? words.lines(left) : words.bytes(paste.bytes - new TextEncoder().encode(text).length);
  const button = make("button", { type: "button", className: "quiet", aria: { expanded: "false" } }, more);
  const link = make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, words.alone);
  const foot = make("p", "more", "… ", button, " ", link);
  let whole = "";
  /** @param {boolean} isOpen */
  const show = (isOpen) =>
    view.keep(() => {
      shown.classList.toggle("whole", isOpen);
      button.setAttribute("aria-expanded", String(isOpen));
      button.textContent = isOpen ? words.fold : more;
      shown.replaceChildren(...body(isOpen ? whole : closed(text)).childNodes, foot);
    });
  button.addEventListener("click", async () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    if (!isOpen && !whole) whole = await read(address);
    if (whole) show(!isOpen);
    else button.textContent = words.gone;
  });
  show(false);
}

/**
 * The text at an address; empty if it is gone, or the server cannot be reached.
 * @param {string} address
 */
async function read(address) {
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.text() : "";
  } catch {
    return "";
  }
}

/**
 * Posts a text that is too long for a frame, under the same id. A command is refused: a post is never a command.
 * @param {import("../page.js").Page} page
 * @param {{id: string, room: string, text: string}} given
 */
export async function post(page, { id, room: name, text }) {
  const room = page.rooms.get(name) ?? page.room;
  /** @param {{code: string, text: string, retry_ms?: number}} why */
  const refused = (why) => error(page, { id, ...why }, room);
  if (/^\/[^\s/]*(\s|$)/.test(text)) return refused({ code: "too_long", text: words.command });
  const content = JSON.stringify({ id, token: page.token, text: text.replace(/^\/\//, "/") });
  try {
    const answer = await fetch(at(`/r/${name}`), { method: "POST", headers: { "Content-Type": "application/json" }, body: content });
    const told = await answer.json();
    if (answer.ok) return page.answered(id);
    const retry = Number(answer.headers.get("Retry-After")) * 1000;
    await refused({ ...told.error, ...(retry && { retry_ms: retry }) });
  } catch {
    await refused({ code: "busy", text: words.lost });
  }
}
