/** The frozen moment; a strip shows how old it is. */

import { moment, put, written } from "../format.js";
import { byId } from "../../shared/dom.js";
import { table as words } from "../words.js";

export class Frozen {
  #timer = 0;
  #at = 0;
  on = false;

  /** @param {() => void} onChange  called when the table is frozen or live again */
  constructor(onChange) {
    const toggle = () => {
      this.on = !this.on;
      this.#show();
      onChange();
    };
    byId("freeze").addEventListener("click", toggle);
    byId("thaw").addEventListener("click", toggle);
  }

  /**
   * The moment that is shown, ms since 1970.
   * @param {number} at
   */
  set at(at) {
    this.#at = at;
    this.#show();
  }

  thaw() {
    this.on = false;
    this.#show();
  }

  #show() {
    clearInterval(this.#timer);
    byId("freeze").setAttribute("aria-pressed", String(this.on));
    byId("frozen").hidden = !this.on;
    if (!this.on) return;
    const tell = () => put(byId("frozen-text"), words.frozen(moment(this.#at), written(Date.now() - this.#at, "duration")));
    this.#timer = setInterval(tell, 1_000);
    if (this.#at) tell();
  }
}
