/**
 * The lines that were sent and are not acknowledged yet.
 *
 * They are kept in this tab's session storage, per room. A line leaves the outbox only when the server has acknowledged or
 * answered it, or when the person drops it.
 *
 * A line that was under way when the connection broke may have arrived. It is sent again under its id: the server remembers
 * the ids of two minutes and posts it once. For older lines the person decides.
 */

import { byId, make } from "../../shared/dom.js";
import { isRecord, isText, recall, remember } from "../../shared/storage.js";
import { line as words } from "../words.js";
import { body } from "./message.js";
import { nickOf } from "./nick_colour.js";

/** The server remembers an id for 2 minutes; a retry within this time cannot be shown twice. */
const DEDUPED_FOR = 110_000;

/** Ms without an answer after which a line no longer delays the others. */
const ANSWER_WITHIN = 5_000;
/** A command: `/x …`, but neither `//x` nor a path. */
const COMMAND = /^\/[^\s/]+(\s|$)/;
const STATES = ["queued", "sending", "refused", "unsure"];

/**
 * @typedef {object} Line  one line on its way
 * @property {string} id
 * @property {string} text
 * @property {"queued"|"sending"|"refused"|"unsure"} state
 * @property {string} [why]      the server's words, when refused
 * @property {string | null} [token]    the identity it was first sent under, by which the server recognises a repetition
 * @property {number} [since]    when it was first sent
 * @property {number} [sent]     when it was last sent
 */

/**
 * Whether a stored value can be the lines of an outbox.
 * @param {any} value
 */
const areLines = (value) => Array.isArray(value) && value.every(isLine);
/** @param {any} one */
const isLine = (one) =>
  isRecord(one) && isText(one.id) && isText(one.text) && STATES.includes(one.state) && typeof (one.since ?? 0) === "number";

export class Outbox {
  #list = make("ol", "log outbox");
  #room;
  #key;
  #me;
  #send;
  #onEdit;
  #onRefused;
  #onChange;
  /** @type {Line[]} */
  #lines = [];
  /** @type {string | null} */
  #token = null;
  #open = false;
  #until = 0; // the server said to wait until then
  #timer = 0;

  /**
   * @param {string} room
   * @param {() => string} me  our nick
   * @param {(object: Chat.Sent) => boolean} send
   * @param {(text: string) => void} onEdit
   * @param {(text: string, why: string) => void} onRefused  called with a refused command
   * @param {() => void} onChange  rows were added or removed
   */
  constructor(room, me, send, onEdit, onRefused, onChange) {
    this.#room = room;
    this.#key = `outbox:${room}`;
    this.#me = me;
    this.#send = send;
    this.#onEdit = onEdit;
    this.#onRefused = onRefused;
    this.#onChange = onChange;
    this.#list.setAttribute("aria-label", words.list);
    this.#lines = recall("sessionStorage", this.#key, areLines) ?? [];
    this.#show();
  }

  /** Puts these lines on the page. */
  show() {
    this.#list.id = "outbox";
    byId("unsent").replaceChildren(this.#list);
  }

  /** @param {string} text */
  add(text) {
    this.#lines.push({ id: crypto.getRandomValues(new Uint32Array(3)).join("-"), text, state: "queued" });
    this.#flush();
  }

  /**
   * The room is joined: sends the waiting lines, and again those that the server will recognise.
   * @param {string | null} token
   */
  opened(token) {
    this.#open = true;
    this.#token = token;
    this.#until = 0;
    for (const line of this.#lines) {
      if (line.state !== "sending") continue;
      const isKnown = line.token && line.token === token && Date.now() - (line.since ?? 0) < DEDUPED_FOR;
      line.state = isKnown ? "queued" : "unsure";
    }
    this.#flush();
  }

  closed() {
    clearTimeout(this.#timer);
    this.#open = false;
    this.#show();
  }

  /**
   * Drops the line that an ack or a notice answers.
   * @param {string} id
   * @returns {boolean} whether there was one
   */
  answered(id) {
    const at = this.#lines.findIndex((line) => line.id === id);
    if (at < 0) return false;
    this.#lines.splice(at, 1);
    this.#flush();
    return true;
  }

  /**
   * @param {{id?: string, code: string, text: string, retry_ms?: number}} error
   * @returns {boolean} whether the error answers a line of ours; a refused command goes back to the box
   */
  refused(error) {
    const line = this.#lines.find((one) => one.id === error.id);
    if (!line) return false;
    if (error.code === "rate_limited") {
      line.state = "queued";
      this.#until = Date.now() + (error.retry_ms ?? 1_000);
    } else if (COMMAND.test(line.text)) {
      this.#drop(line);
      this.#onRefused(line.text, error.text);
    } else {
      line.state = "refused";
      line.why = error.code === "muted" ? words.muted(error.text) : error.text || error.code;
    }
    this.#flush();
    return true;
  }

  #flush() {
    clearTimeout(this.#timer);
    const wait = this.#until - Date.now();
    if (wait > 0) this.#timer = setTimeout(() => this.#flush(), Math.min(wait, 1_000));
    else if (this.#open) this.#sendNext();
    this.#show();
  }

  /** Sends one line at a time: of several under way one might be refused as too fast and the next be accepted. */
  #sendNext() {
    const late = Date.now() - ANSWER_WITHIN;
    if (this.#lines.some((one) => one.state === "sending" && (one.sent ?? 0) > late)) {
      this.#timer = setTimeout(() => this.#flush(), ANSWER_WITHIN);
      return;
    }
    const line = this.#lines.find((one) => one.state === "queued");
    if (!line || !this.#send({ type: "say", id: line.id, room: this.#room, text: line.text })) return;
    Object.assign(line, { state: "sending", sent: Date.now() });
    line.since ??= line.sent;
    line.token ??= this.#token;
  }

  /** @param {Line} line */
  #drop(line) {
    this.#lines = this.#lines.filter((one) => one !== line);
    this.#show();
  }

  /** @param {Line} line */
  #again(line) {
    line.state = "queued";
    line.since = line.token = undefined;
    this.#flush();
  }

  #show() {
    remember("sessionStorage", this.#key, this.#lines.length && this.#lines);
    this.#list.replaceChildren(...this.#lines.map((line) => this.#row(line)));
    this.#onChange();
  }

  /** @param {Line} line */
  #row(line) {
    const row = make("li", "msg own");
    row.dataset.state = this.#open ? line.state : "unsent";
    const mark = make("span", "mark", this.#words(line));
    /** @param {string} word   @param {() => void} onclick */
    const button = (word, onclick) => mark.append(" ", make("button", { type: "button", className: "quiet", onclick }, word));
    if (row.dataset.state !== "sending") {
      if (line.state === "refused" || line.state === "unsure") button(words.again, () => this.#again(line));
      button(words.edit, () => {
        this.#drop(line);
        this.#onEdit(line.text);
      });
      button(words.drop, () => this.#drop(line));
    }
    row.append(make("span", "who", nickOf(this.#me())), body(line.text), mark);
    return row;
  }

  /** @param {Line} line */
  #words(line) {
    const wait = Math.ceil((this.#until - Date.now()) / 1_000);
    if (line.state === "refused") return words.refused(line.why);
    if (line.state === "unsure") return words.unsure;
    if (!this.#open) return words.unsent;
    if (line.state === "queued" && wait > 0) return words.paced(wait);
    return words.sending;
  }
}
