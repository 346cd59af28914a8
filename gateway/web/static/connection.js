/**
 * The chat session's WebSocket: opens, says hello, hands over what arrives, and comes back by itself; and its state in
 * words (Status).
 *
 * What is true here:
 * - A delay told by the server (`retry_ms` of a bye, or of an error that answers nothing we sent) always wins; only the
 *   person's own "try now" goes before it. Without one the delay is drawn anew each time ("full jitter").
 * - Close codes 4500–4999, and a bye with 1000 (we asked to leave), end the session until the person asks for it.
 * - A browser does not see the server's pings, so a socket that was quiet for long is probed with a ping of our own.
 */

const FIRST_DELAY = 500;
const LAST_DELAY = 30_000;
const SETTLED = 10_000; // a connection that lived this long starts the delays over
const QUIET = 45_000;
const PATIENCE = 10_000; // for a welcome, or for the answer to a ping

/**
 * @typedef {{word: "connecting"|"connected"|"waiting"|"ended", until?: number, code?: number, reason?: string}} State
 */

export class Connection {
  #hello;
  #onState;
  #onObject;
  #socket = null;
  #ready = false;
  #timer = 0;
  #probe = 0;
  #attempts = 0;
  #opened = Infinity;
  #heard = 0;
  #bye = null;
  #told = null;

  /**
   * @param {() => object} hello  what to say first, asked for at each connection
   * @param {(state: State) => void} onState
   * @param {(object: {type: string}) => void} onObject
   */
  constructor(hello, onState, onObject) {
    this.#hello = hello;
    this.#onState = onState;
    this.#onObject = onObject;
    setInterval(() => this.#ready && Date.now() - this.#heard > QUIET && this.#ask(), QUIET / 3);
  }

  /** Connects now, whatever was planned. */
  open() {
    this.#letGo();
    this.#bye = this.#told = null;
    this.#opened = Infinity;
    this.#onState({ word: "connecting" });
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.#socket = new WebSocket(url, "chat.v1.json"));
    this.#probe = setTimeout(() => this.#closed(1006, ""), PATIENCE);
    socket.onopen = () => {
      this.#opened = this.#heard = Date.now();
      socket.send(JSON.stringify({ type: "hello", ...this.#hello() }));
    };
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  /** Something woke us (network, page shown): connect unless told to wait; look whether an old connection lives. */
  wake() {
    if (this.#ready) this.#ask();
    else if (!this.#socket && this.#timer && this.#told === null) this.open();
  }

  /** @returns {boolean} whether the object was handed to a session that has been welcomed */
  send(object) {
    if (!this.#ready) return false;
    this.#socket.send(JSON.stringify(object));
    return true;
  }

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
    this.#probe = setTimeout(() => this.#closed(1006, ""), PATIENCE);
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

/** The connection in words: in the bar, and as a banner while there is something to wait for or to decide. */
export class Status {
  #line = document.getElementById("status");
  #banner = document.getElementById("banner");
  #text = document.getElementById("banner-text");
  #button = document.getElementById("banner-button");
  #timer = 0;
  #onPress;

  /** @param {() => void} onPress  the person wants the connection now */
  constructor(onPress) {
    this.#onPress = onPress;
  }

  /** @param {import("./connection.js").State} state */
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

  #count({ code, reason, until }) {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000));
    const full = reason?.startsWith("busy: ") ? `Not now: ${reason.slice(6)}` : "The server is full";
    const known = { 4001: "The server is leaving", 4013: full };
    const why = known[code] ?? (code >= 4000 && reason ? `Offline: ${reason}` : "Offline");
    this.#text.textContent = `${why}. Retrying in ${seconds} s. What you send is kept.`;
  }
}

/** @returns {[string, string]} what happened, and what the button offers */
function ending({ code, reason: words }) {
  const reason = words.replace(/^(kicked|banned)(: |$)/, "");
  const because = reason ? `: ${reason}` : "";
  if (code === 1000) return ["You have left.", "Come back"];
  if (code === 4500) return [`You were kicked${because}.`, "Rejoin"];
  if (code === 4501) return [`You are banned${because}.`, "Try again"];
  if (code === 4503) return [`You have no right to be here${because}.`, "Try again"];
  if (code === 4504) return ["Too many connections come from your address.", "Try again"];
  if (code === 4505) return ["This session goes on in another tab.", "Use here"];
  return [`The server ended the session${because}.`, "Try again"];
}
