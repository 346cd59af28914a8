/**
 * The chat session's WebSocket: it opens, says hello, hands over what arrives, and reconnects by itself.
 *
 * What is true here:
 * - A delay told by the server (`retry_ms` of a bye, or of an error that answers nothing we sent) always counts; only the
 *   person's own "try now" overrides it. Without one the delay is drawn at random each time ("full jitter").
 * - Close codes 4500–4999, and a bye with 1000 (we asked to leave), end the session until the person asks for it.
 * - A browser does not see the server's pings, so a socket that has been quiet for long is probed with a ping of ours.
 */

import { at } from "../shared/address.js";

const FIRST_DELAY = 500;
const LAST_DELAY = 30_000;
const SETTLED = 10_000; // a connection that lived this long starts the delays over
const QUIET = 45_000;
const PATIENCE = 10_000; // for a welcome
const ANSWER = 5_000; // for anything after a ping of ours

/**
 * @typedef {{word: "connecting"|"connected"|"waiting"|"ended", until?: number, code?: number, reason?: string}} State
 */

export class Connection {
  #hello;
  #onState;
  #onObject;
  /** @type {WebSocket | null} */
  #socket = null;
  #ready = false;
  #timer = 0;
  #probe = 0;
  #attempts = 0;
  #opened = Infinity;
  #heard = 0;
  /** @type {{code: number, reason?: string} | null} */
  #bye = null;
  #told = null;

  /**
   * @param {() => object} hello  makes the first object of each connection
   * @param {(state: State) => void} onState
   * @param {(object: {type: string}) => void} onObject
   */
  constructor(hello, onState, onObject) {
    this.#hello = hello;
    this.#onState = onState;
    this.#onObject = onObject;
    setInterval(() => this.#ready && Date.now() - this.#heard > QUIET && this.#ask(), 5_000);
  }

  /** Connects now, whatever delay was planned. */
  open() {
    this.#letGo();
    this.#bye = this.#told = null;
    this.#opened = Infinity;
    this.#onState({ word: "connecting" });
    const url = new URL(at("/ws"), location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    try {
      this.#socket = new WebSocket(url, "chat.v1.json");
    } catch {
      return this.#closed(1006, ""); // an extension of the browser allows none
    }
    const socket = this.#socket;
    this.#probe = setTimeout(() => this.#closed(1006, ""), PATIENCE);
    socket.onopen = () => {
      this.#opened = this.#heard = Date.now();
      socket.send(JSON.stringify({ type: "hello", ...this.#hello() }));
    };
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  /** The network is back or the page is shown: connects unless told to wait, and probes a connection that may be dead. */
  wake() {
    if (this.#ready) this.#ask();
    else if (!this.#socket && this.#timer && this.#told === null) this.open();
  }

  /** @param {object} object   @returns {boolean} whether the object was handed to a session that has been welcomed */
  send(object) {
    if (!this.#ready) return false;
    this.#socket?.send(JSON.stringify(object));
    return true;
  }

  /** @param {any} object */
  #take(object) {
    this.#heard = Date.now();
    clearTimeout(this.#probe);
    this.#probe = 0;
    if (object.type === "bye") this.#bye = object;
    if (object.retry_ms !== undefined && object.id === undefined) this.#told = object.retry_ms;
    if (object.type === "welcome") {
      this.#ready = true;
      this.#told = null;
      this.#onState({ word: "connected" });
    }
    this.#onObject(object);
  }

  /** @param {number} closeCode   @param {string} closeReason */
  #closed(closeCode, closeReason) {
    this.#letGo();
    const code = this.#bye?.code ?? closeCode;
    const reason = this.#bye?.reason || closeReason;
    if (code >= 4500 || (code === 1000 && this.#bye)) {
      this.#onState({ word: "ended", code, reason });
      return;
    }
    if (Date.now() - this.#opened > SETTLED) this.#attempts = 0;
    const top = Math.min(LAST_DELAY, 2 * FIRST_DELAY * 2 ** this.#attempts++);
    const delay = this.#told ?? FIRST_DELAY + Math.random() * (top - FIRST_DELAY);
    this.#timer = setTimeout(() => this.open(), delay);
    this.#onState({ word: "waiting", until: Date.now() + delay, code, reason });
  }

  #ask() {
    if (this.#probe) return;
    this.#probe = setTimeout(() => this.#closed(1006, ""), ANSWER);
    this.send({ type: "ping", id: "alive" });
  }

  #letGo() {
    clearTimeout(this.#timer);
    clearTimeout(this.#probe);
    this.#timer = this.#probe = 0;
    this.#ready = false;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
