/** Help while typing: suggestions, and earlier messages by ↑. Loaded when the person begins to type. */

import { settings } from "../../preferences.js";
import { Suggestions } from "./suggestions.js";
import { nicks } from "../known_nicks.js";

/** Ms between two times that the room is told that we are typing. */
const TELL_EVERY = 3_000;

export class Typing {
  #box;
  #suggestions;
  #sent;
  #put;
  #page;
  #told = 0; // when the room was last told that we are typing
  #slot = 0; // 0 = the draft, n = the nth newest of #sent
  #draft = "";

  /**
   * @param {HTMLTextAreaElement} box
   * @param {import("../../page.js").Page} page
   * @param {string[]} sent  the newest first
   * @param {(text: string) => void} put  replaces the text of the box
   */
  constructor(box, page, sent, put) {
    this.#box = box;
    this.#suggestions = new Suggestions(box, () => nicks(page));
    this.#sent = sent;
    this.#put = put;
    this.#page = page;
    box.addEventListener("input", () => this.#tell());
    this.#tell();
  }

  /** The text has changed. */
  update() {
    this.#slot = 0;
    this.#suggestions.update();
  }

  /** @param {KeyboardEvent} event   @returns {boolean} whether the key has been handled */
  pressed(event) {
    if (this.#suggestions.pressed(event)) return true;
    const bare = !event.ctrlKey && !event.altKey && !event.metaKey;
    const isUp = event.key === "ArrowUp" && (this.#slot > 0 || this.#box.value === "");
    const isDown = event.key === "ArrowDown" && this.#slot > 0;
    if (!bare || !(isUp || isDown) || !this.#walk(this.#slot + (isUp ? 1 : -1))) return false;
    event.preventDefault();
    return true;
  }

  /** Tells the room that we are typing a message: not in a talk, which is nobody else's, and not a command. */
  #tell() {
    const { room } = this.#page;
    const isMessage = this.#box.value.trim() && !/^\s*\//.test(this.#box.value);
    if (!isMessage || room.isTalk || settings.typing || Date.now() - this.#told < TELL_EVERY) return;
    this.#told = Date.now();
    this.#page.send({ type: "typing", room: room.name });
  }

  /** @param {number} slot */
  #walk(slot) {
    if (slot > this.#sent.length) return false;
    if (this.#slot === 0) this.#draft = this.#box.value;
    this.#put(slot === 0 ? this.#draft : this.#sent[slot - 1]);
    this.#slot = slot;
    return true;
  }
}
