/** The connection in words. */

import { byId } from "../shared/dom.js";

/** @typedef {import("./connection.js").State} State */

/** The connection in words: in the bar, and as a banner while there is something to wait for or to decide. */
export class Status {
  #line = byId("status");
  #banner = byId("banner");
  #text = byId("banner-text");
  #button = byId("banner-button");
  #timer = 0;
  #onPress;

  /** @param {() => void} onPress  the person wants the connection now */
  constructor(onPress) {
    this.#onPress = onPress;
  }

  /** @param {State} state */
  show(state) {
    clearInterval(this.#timer);
    const words = { connecting: "connecting", connected: "connected", waiting: "offline", ended: "disconnected" };
    this.#line.dataset.state = state.word;
    this.#line.firstElementChild.textContent = words[state.word];
    this.#banner.hidden = state.word === "connected" || (state.word === "connecting" && this.#banner.hidden);
    this.#banner.dataset.state = state.word;
    this.#button.onclick = this.#onPress;
    if (state.word === "connecting") this.#text.textContent = "Connecting… What you send is kept.";
    if (state.word === "waiting") {
      this.#button.textContent = "Try now";
      this.#count(state);
      this.#timer = setInterval(() => this.#count(state), 1_000);
    }
    if (state.word === "ended") [this.#text.textContent, this.#button.textContent] = ending(state);
  }

  /** Something else that the person may want to do. */
  offer(words, button, onPress) {
    this.#banner.hidden = false;
    this.#banner.dataset.state = "offer";
    this.#text.textContent = words;
    this.#button.textContent = button;
    this.#button.onclick = onPress;
  }

  /** @param {State} state */
  #count({ code, reason, until }) {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000));
    const full = reason?.startsWith("busy: ") ? `Not now: ${reason.slice(6)}` : "The server is full";
    const known = { 4001: "The server is restarting", 4013: full };
    const why = known[code] ?? (code >= 4000 && reason ? `Offline: ${reason}` : "Offline");
    this.#text.textContent = `${why}. Retrying in ${seconds} s. What you send is kept.`;
  }
}

/**
 * @param {State} state
 * @returns {[string, string]} what happened, and what the button offers
 */
function ending({ code, reason: words }) {
  const reason = words.replace(/^(kicked|banned)(: |$)/, "");
  const because = reason ? `: ${reason}` : "";
  if (code === 1000) return ["You have left.", "Come back"];
  if (code === 4500) return [`You were kicked${because}.`, "Rejoin"];
  if (code === 4501) return [`You are banned${because}.`, "Try again"];
  if (code === 4503) return [`You have no right to be here${because}.`, "Try again"];
  if (code === 4504) return ["Too many connections come from your address.", "Try again"];
  if (code === 4505) return ["You are connected in another tab.", "Use here"];
  return [`The server ended the session${because}.`, "Try again"];
}
