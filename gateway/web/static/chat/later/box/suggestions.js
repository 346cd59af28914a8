/**
 * Names and commands to choose from while typing. Loaded when the person begins to type.
 *
 * `@an` and `/wh` open the list; ↑ ↓ choose, Enter or Tab takes, Esc closes, a tap takes. Tab after the beginning of a
 * name inserts the first match, pressed again the next one, Shift+Tab the previous one.
 */

import "../sheet.js";
import { byId, make } from "../../../shared/dom.js";
import { commands as own } from "../words.js";

const MOST_SHOWN = 8;

/** @type {[string, string, string][]} */
const table = await (await fetch(new URL("../commands.json", import.meta.url))).json();

/** The commands of the server and of the page: name, usage, words. */
export function commands() {
  return [...table, ...own.filter(([mine]) => !table.some(([name]) => name === mine))];
}

export class Suggestions {
  #box;
  #names;
  #list = byId("suggestions");
  /** @type {Chat.Suggestion[]} */
  #found = []; // {value: the text to insert, words: shown behind it}
  #at = -1;
  #start = 0; // where the text to replace begins
  #end = 0;
  #cycling = false; // Tab has inserted a name

  /**
   * @param {HTMLTextAreaElement} box
   * @param {() => string[]} names  the likeliest first
   */
  constructor(box, names) {
    this.#box = box;
    this.#names = names;
    box.setAttribute("aria-autocomplete", "list");
    box.setAttribute("aria-controls", "suggestions");
    box.addEventListener("blur", () => this.#close());
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
    this.#list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#take([...this.#list.children].indexOf(option));
    });
  }

  /** The text or the caret has changed. */
  update() {
    this.#cycling = false;
    const before = this.#before();
    const [, command] = /^\/(\S*)$/.exec(before) ?? [];
    const [, name] = /(?:^|\s)@(\S*)$/.exec(before) ?? [];
    const [, sign] = /(?:^|\s):([a-z0-9_+-]{2,})$/.exec(before) ?? [];
    if (command !== undefined) this.#offer(this.#commands(command), before.length - command.length - 1, -1);
    else if (name !== undefined) this.#offer(this.#people(name), before.length - name.length - 1, 0);
    else if (sign !== undefined) this.#emoji(sign, before);
    else this.#close();
  }

  /**
   * Signs whose names begin so, and then those with it inside.
   * @param {string} begin
   * @param {string} before
   */
  async #emoji(begin, before) {
    const { emoji } = await import("./emoji.js");
    if (before !== this.#before()) return; // typed on meanwhile
    const fitting = [...emoji.filter(([name]) => name.startsWith(begin)), ...emoji.filter(([name]) => name.indexOf(begin) > 0)];
    this.#offer(fitting.map(([name, value]) => ({ value, words: name, isSign: true })), before.length - begin.length - 1, 0);
  }

  /** @param {KeyboardEvent} event   @returns {boolean} whether the list has handled the key */
  pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !this.#answers(event)) return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** @param {KeyboardEvent} given */
  #answers({ key, shiftKey }) {
    const open = this.#found.length > 0;
    if (key === "Tab") return this.#step(shiftKey ? -1 : 1);
    if (!open) return false;
    if (key === "Escape") this.#close();
    else if (this.#cycling) return false;
    else if (key === "ArrowDown") this.#point((this.#at + 1) % this.#found.length);
    else if (key === "ArrowUp") this.#point((this.#at <= 0 ? this.#found.length : this.#at) - 1);
    else if (key === "Enter" && !shiftKey && this.#at >= 0 && !this.#isWritten()) this.#take(this.#at);
    else return false;
    return true;
  }

  #isWritten() {
    return this.#before().slice(this.#start).replace(/^@/, "") === this.#found[this.#at].value.trim();
  }

  #before() {
    return this.#box.value.slice(0, this.#box.selectionEnd);
  }

  /** @param {string} begin */
  #commands(begin) {
    const fitting = commands().filter(([name]) => name.startsWith(begin.toLowerCase()));
    return fitting.map(([name, usage, words]) => ({ value: `/${name} `, usage, words }));
  }

  /** @param {string} begin */
  #people(begin) {
    return this.#names()
      .filter((name) => name.toLowerCase().startsWith(begin.toLowerCase()))
      .map((name) => ({ value: name, words: "" }));
  }

  /**
   * Tab: replaces the name by the next match.
   * @param {number} by
   * @returns {boolean} whether there is one
   */
  #step(by) {
    if (!this.#found.length) {
      const word = /\S*$/.exec(this.#before())?.[0];
      if (!word) return false;
      this.#offer(this.#people(word), this.#box.selectionEnd - word.length, -1);
      if (!this.#found.length) return false;
    }
    if (!this.#cycling) this.#end = this.#box.selectionEnd;
    const count = this.#found.length;
    if (this.#at < 0) this.#point(by > 0 ? 0 : count - 1);
    else if (this.#cycling) this.#point((this.#at + by + count) % count);
    this.#put();
    if (count === 1) this.#close();
    this.#cycling = count > 1;
    return true;
  }

  /** @param {number} at */
  #take(at) {
    this.#point(at);
    this.#end = this.#cycling ? this.#end : this.#box.selectionEnd;
    this.#put();
    this.#close();
  }

  /** Inserts the chosen text; a name at the beginning of a line gets a colon. */
  #put() {
    const { value, isSign } = this.#found[this.#at];
    const opens = this.#start === 0 || this.#box.value[this.#start - 1] === "\n";
    const text = value.startsWith("/") ? value : value + (opens && !isSign ? ": " : " ");
    const [found, at, start] = [this.#found, this.#at, this.#start];
    this.#box.setRangeText(text, start, this.#end, "end");
    this.#box.dispatchEvent(new Event("input")); // makes it part of the draft; this closes the list
    this.#offer(found, start, at);
    this.#end = start + text.length;
  }

  /** @param {Chat.Suggestion[]} found   @param {number} start   @param {number} at */
  #offer(found, start, at) {
    this.#found = found.slice(0, MOST_SHOWN);
    this.#start = start;
    this.#list.replaceChildren(...this.#found.map((one, index) => this.#option(one, index)));
    this.#list.hidden = !this.#found.length;
    this.#point(at);
  }

  /** @param {Chat.Suggestion} given   @param {number} index */
  #option({ value, usage, words }, index) {
    const option = make("li");
    option.id = `suggestion-${index}`;
    option.setAttribute("role", "option");
    option.append(make("bdi", "value", value.trim()));
    if (usage !== undefined) option.append(make("code", "usage", usage));
    if (words) option.append(make("span", "muted", words));
    return option;
  }

  /** @param {number} at */
  #point(at) {
    this.#at = this.#found.length ? at : -1;
    [...this.#list.children].forEach((option, index) => (option.setAttribute("aria-selected", String(index === this.#at))));
    if (this.#at < 0) this.#box.removeAttribute("aria-activedescendant");
    else this.#box.setAttribute("aria-activedescendant", `suggestion-${this.#at}`);
  }

  #close() {
    this.#cycling = false;
    this.#offer([], 0, -1);
  }
}
