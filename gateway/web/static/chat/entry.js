/** The name field. */

import { byId } from "../shared/dom.js";
import { isComposing } from "./shortcuts.js";
import { name as words } from "./words.js";

/** The name field: asks for a nick. Why one was refused is told by later/taken_name.js. */
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

  hide() {
    this.#form.hidden = true;
  }
}
