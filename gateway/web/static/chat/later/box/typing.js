/** Help while typing: suggestions, and earlier messages by ↑. Loaded when the person begins to type. */

import { Suggestions } from "./suggestions.js";
import { nicks } from "../people.js";

export class Typing {
  #box;
  #suggestions;
  #sent;
  #put;
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
  }

  /** The text has changed. */
  update() {
    this.#slot = 0;
    this.#suggestions.update();
  }

  /** @returns {boolean} whether the key has been handled */
  pressed(event) {
    if (this.#suggestions.pressed(event)) return true;
    const bare = !event.ctrlKey && !event.altKey && !event.metaKey;
    const isUp = event.key === "ArrowUp" && (this.#slot > 0 || this.#box.value === "");
    const isDown = event.key === "ArrowDown" && this.#slot > 0;
    if (!bare || !(isUp || isDown) || !this.#walk(this.#slot + (isUp ? 1 : -1))) return false;
    event.preventDefault();
    return true;
  }

  #walk(slot) {
    if (slot > this.#sent.length) return false;
    if (this.#slot === 0) this.#draft = this.#box.value;
    this.#put(slot === 0 ? this.#draft : this.#sent[slot - 1]);
    this.#slot = slot;
    return true;
  }
}
