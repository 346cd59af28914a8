/** The name field. */

import { byId } from "../shared/dom.js";
import { isComposing } from "./shortcuts.js";
import { name as words } from "./words.js";

/** The name field: asks for a nick, tells why one was refused, offers the next. */
export class Entry {
  #form = byId("entry");
  #field = byId("nick");
  #hint = byId("entry-hint");
  #offer = byId("offer");

  /** @param {(nick: string) => void} onNick */
  constructor(onNick, onClose) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      onNick(this.#field.value.trim());
    });
    this.#field.addEventListener("keydown", (event) => event.key === "Enter" && isComposing(event) && event.preventDefault());
    this.#offer.addEventListener("click", () => onNick(this.#offer.value));
    byId("entry-close").addEventListener("click", () => {
      this.hide();
      onClose();
    });
  }

  get isOpen() {
    return !this.#form.hidden;
  }

  ask(me, hint = words.current(me)) {
    this.#form.hidden = false;
    this.#hint.textContent = hint;
    this.#hint.classList.remove("bad");
    this.#offer.hidden = true;
  }

  focus() {
    this.#field.focus();
  }

  refused(nick, error) {
    const taken = error.code === "nick_taken" && !/^guest-/i.test(nick); // guests' names are the server's to give
    const free = taken && nextName(nick);
    this.ask("", taken ? words.taken(nick) : error.text);
    this.#hint.classList.add("bad");
    this.#field.value = nick;
    this.#offer.hidden = !free;
    this.#offer.value = free || "";
    this.#offer.textContent = words.take(free);
  }

  hide() {
    this.#form.hidden = true;
  }
}

/** "ana" -> "ana2", "ana2" -> "ana3"; at most 32 characters. */
function nextName(nick) {
  const [, stem, number] = /^(.*?)(\d*)$/.exec(nick);
  const next = String(Number(number || 1) + 1);
  return [...stem].slice(0, 32 - next.length).join("") + next;
}
