/** The message box. Nothing typed is lost: the draft is kept in this tab's session storage, per room. */

import { byId } from "../shared/dom.js";
import { isText, recall, remember } from "../shared/storage.js";
import { settings } from "./preferences.js";
import { box as words } from "./words.js";

/** A longer message, in bytes of UTF-8, is a paste; the limit of the server. */
const LONG_BYTES = 4_000;
const MOST_ROWS = 8;
const MOST_REMEMBERED = 100;
/** A paste of more lines than this needs an answer first. */
const MOST_PASTED = 5;

/** Texts that must never be kept, shown or sent later: passwords and codes. */
export const SECRET = /^\s*\/(login|resume)(\s|$)/i;

/** The commands that the page runs itself; a blank before one makes no message of what is private. */
export const OWN = /^\s*\/((un)?ignore|reply|search|msg?|w|login|resume)(\s|$)/i;

/**
 * Whether an input method takes this key to compose text. Safari ends the composition before it reports the key, so there
 * only the key code tells.
 * @param {KeyboardEvent} event
 */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

const scroller = byId("scroller");
/** @param {string} text */
const bytesOf = (text) => new TextEncoder().encode(text).length;

export class Composer {
  #box = byId("message");
  #counter = byId("counter");
  #send = byId("send");
  #closed = byId("closed");
  #answer = byId("answer");
  #muted = 0; // the timer of its end
  #key = "";
  #onSend;
  #page;
  /** @type {import("./later/box/typing.js").Typing | null} */
  #typing = null; // once loaded
  /** @type {string[]} */
  #sent = []; // newest first
  #touch = matchMedia("(pointer: coarse)");

  /**
   * @param {(text: string) => void} onSend
   * @param {import("./page.js").Page} page
   */
  constructor(onSend, page) {
    this.#onSend = onSend;
    this.#page = page;
    this.#box.addEventListener("input", () => this.#typed());
    this.#box.addEventListener("keydown", (event) => this.#pressed(event));
    this.#box.addEventListener("paste", (event) => this.#pasted(event));
    this.#box.addEventListener("keydown", () => this.#getHelp(), { once: true });
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId("unmute").addEventListener("click", () => this.open());
    addEventListener("resize", () => this.#fit());
  }

  /**
   * Makes the box that room's, with the draft that was left there.
   * @param {{name: string, sign: string, title: string}} given
   */
  enter({ name, sign, title }) {
    const label = words.label(sign + title);
    this.#key = `draft:${name}`;
    this.#box.setAttribute("aria-label", label);
    this.#box.placeholder = `${label}…`;
    this.#put(recall("sessionStorage", this.#key, isText) ?? "");
  }

  focus() {
    this.#box.focus();
  }

  /**
   * Closes the box and says why. The draft stays.
   * @param {string} why
   */
  close(why) {
    this.#closed.hidden = false;
    this.#closed.firstElementChild.textContent = why;
    this.#box.readOnly = true;
    this.#fit();
  }

  /**
   * Closes the box until the end of a mute, `left` ms from now; for ever unless the server said.
   * @param {string} why
   */
  closeFor(why, left = Infinity) {
    this.close(why);
    clearTimeout(this.#muted);
    this.#muted = setTimeout(() => this.open(), Math.min(left, 2 ** 31 - 1));
  }

  /** Opens the box again. The server refuses what is sent if the person is still muted. */
  open() {
    clearTimeout(this.#muted);
    this.#muted = 0;
    this.#closed.hidden = true;
    this.#box.readOnly = false;
    this.#fit();
  }

  /**
   * Puts a text back into the box, before what is already there.
   * @param {string} text
   */
  edit(text) {
    this.#put([text, this.#box.value].filter(Boolean).join("\n"));
    this.focus();
  }

  /**
   * Puts a quotation before the draft.
   * @param {string} text
   */
  quote(text) {
    this.#put(text + this.#box.value);
    this.focus();
  }

  /**
   * Shows under the box why a command was refused; puts its text back into the box, unless there is another by now.
   * @param {string} text
   * @param {string} why
   */
  refused(text, why) {
    if (!this.#box.value) this.#put(text);
    this.answer(why);
  }

  /**
   * A note about what was typed, until the next key.
   * @param {string} words
   */
  answer(words) {
    this.#answer.hidden = !words;
    this.#answer.textContent = words;
  }

  /**
   * Addresses somebody, at the beginning or at the end of the draft.
   * @param {string} nick
   */
  mention(nick) {
    const before = this.#box.value;
    this.#put(before ? `${before.trimEnd()} ${nick} ` : `${nick}: `);
    this.focus();
  }

  /**
   * Replaces the draft, which ↑ brings back.
   * @param {string} text
   */
  write(text) {
    if (this.#box.value.trim()) this.#sent.unshift(this.#box.value);
    this.#put(text);
    this.focus();
  }

  /** @param {string} text */
  #put(text) {
    this.#box.value = text;
    this.#box.setSelectionRange(text.length, text.length);
    this.#typed();
  }

  #typed() {
    this.answer("");
    remember("sessionStorage", this.#key, SECRET.test(this.#box.value) ? "" : this.#box.value);
    this.#fit();
    this.#typing?.update();
  }

  async #getHelp() {
    try {
      const { Typing } = await import("./later/box/typing.js");
      const typing = (this.#typing = new Typing(/** @type {any} */ (this.#box), this.#page, this.#sent, (text) => this.#put(text)));
      typing.update();
    } catch {
      // The server cannot be reached, or was updated meanwhile: typing works without suggestions.
    }
  }

  #submit() {
    const text = this.#box.value.replace(/\s+$/, "");
    if (!text.trim() || this.#send.disabled) return;
    if (!SECRET.test(text)) this.#sent.unshift(text);
    this.#sent.length = Math.min(this.#sent.length, MOST_REMEMBERED);
    this.#put("");
    this.focus();
    this.#onSend(text);
  }

  /** Fits the height of the box to its text, and shows the counter from 80 % of the limit on. */
  #fit() {
    const box = this.#box;
    const style = getComputedStyle(box);
    const padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
    const { scrollTop } = scroller;
    box.rows = 1; // to measure; a log that is at its end scrolls back with that
    box.rows = Math.min(MOST_ROWS, Math.max(1, Math.round((box.scrollHeight - padding) / parseFloat(style.lineHeight))));
    scroller.scrollTop = scrollTop;
    const bytes = bytesOf(box.value);
    const over = bytes > this.#page.longest;
    this.#counter.hidden = bytes <= LONG_BYTES;
    // At the end of the text, so that what is cut there makes it fit; a character has a few bytes.
    this.#counter.textContent = over ? words.tooLong(Math.ceil(((bytes - this.#page.longest) * box.textLength) / bytes)) : words.long(box.textLength);
    this.#counter.classList.toggle("over", over);
    this.#send.disabled = over || box.readOnly;
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (isComposing(event) || this.#typing?.pressed(event)) return;
    const bare = !event.ctrlKey && !event.altKey && !event.metaKey;
    const sends = event.shiftKey ? false : bare ? settings.enter !== "newline" && !this.#touch.matches : !event.altKey;
    if (event.key === "Enter" && sends) {
      event.preventDefault();
      this.#submit();
    }
  }

  /**
   * Asks how to paste many lines: as code, as they are, or not at all. Inside a code block it does not ask.
   * @param {Happened} event
   */
  async #pasted(event) {
    const text = /** @type {DataTransfer} */ (event.clipboardData).getData("text/plain").replace(/\r\n?/g, "\n").replace(/\n+$/, "");
    const { value, selectionStart, selectionEnd } = this.#box;
    const before = value.slice(0, selectionStart);
    if (text.split("\n").length <= MOST_PASTED || before.split("```").length % 2 === 0) return;
    event.preventDefault();
    const chosen = await import("./later/box/paste.js").then(
      ({ ask }) => ask(text, before),
      () => text,
    );
    if (chosen) this.#box.setRangeText(chosen, selectionStart, selectionEnd, "end");
    this.#typed();
    this.focus();
  }
}
