/** The state of the connection, in words. */

import { byId } from "../shared/dom.js";
import { connection as words, ending } from "./words.js";

/** @typedef {import("./connection.js").State} State */

/** Shows the state in the bar, and as a banner while there is something to wait for or to decide. */
export class Status {
  #line = byId("status");
  #banner = byId("banner");
  #text = byId("banner-text");
  #button = byId("banner-button");
  #timer = 0;
  #onPress;

  /** @param {() => void} onPress  connects now */
  constructor(onPress) {
    this.#onPress = onPress;
  }

  /** @param {State} state */
  show(state) {
    clearInterval(this.#timer);
    this.#line.dataset.state = state.word;
    this.#line.firstElementChild.textContent = words[state.word];
    this.#banner.hidden = state.word === "connected" || (state.word === "connecting" && this.#banner.hidden);
    this.#banner.dataset.state = state.word;
    this.#button.onclick = this.#onPress;
    if (state.word === "connecting") this.#text.textContent = words.opening;
    if (state.word === "waiting") {
      this.#button.textContent = words.retry;
      this.#count(state);
      this.#timer = setInterval(() => this.#count(state), 1_000);
    }
    if (state.word === "ended") [this.#text.textContent, this.#button.textContent] = endingOf(state);
  }

  /** @param {State} state */
  #count({ code = 0, reason = "", until = 0 }) {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000));
    const full = reason.startsWith("busy: ") ? words.busy(reason.slice(6)) : words.full;
    /** @type {Record<number, string>} */
    const known = { 4001: words.restarting, 4013: full };
    const why = known[code] ?? words.offline(code >= 4000 && reason);
    this.#text.textContent = words.retrying(why, seconds);
  }
}

/**
 * @param {State} state
 * @returns {string[]} what happened, and what the button offers
 */
function endingOf({ code = 0, reason = "" }) {
  return (ending[code] ?? ending.other)(reason.replace(/^(kicked|banned)(: |$)/, ""));
}
