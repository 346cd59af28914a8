/**
 * Where the person stopped reading a room, and the line "new since" behind it.
 *
 * - The position is the last message that was really seen: in view while the page had the focus. It only grows; the server
 *   is told, and this browser keeps it.
 * - The line is put before the first unseen message. While there is a line, the position does not change.
 * - The line is removed when it has itself been in view for 3 s with focus, by Esc, or by speaking. This tab keeps it.
 */

import { byId, make } from "../../shared/dom.js";
import { isText, recall, remember } from "../../shared/storage.js";
import { clock } from "../preferences.js";
import { log as words } from "../words.js";

const LOOKS = 6; // so many in a row, at intervals of LOOK_EVERY, and the line has been seen
const LOOK_EVERY = 500;

const jump = byId("jump");

/** Whether the page is visible and has the focus. */
export const inFocus = () => !document.hidden && document.hasFocus();

export class Unread {
  /** The number of the message after the line; 0 = there is no line. */
  seq = 0;
  /**
   * The number of the last message seen; null until it is known.
   * @type {number | null}
   */
  position = null;
  #room;
  #epoch = "";
  #view;
  /** @type {HTMLElement | null} */
  #line = null;
  #onSeen;
  #onRead;
  #looking = 0; // the timer that looks whether the line is seen
  #looks = 0;
  #sight = new IntersectionObserver((entries) => this.#sighted(entries.slice(-1)[0]));

  /**
   * @param {string} room
   * @param {import("./view.js").View} view
   * @param {() => void} onSeen  the line has been seen
   * @param {(position: {epoch: string, seq: number}) => void} onRead
   */
  constructor(room, view, onSeen, onRead) {
    this.#room = room;
    this.#view = view;
    this.#onSeen = onSeen;
    this.#onRead = onRead;
    jump.addEventListener("click", () => view.isShown && this.#line?.scrollIntoView({ block: "start" }));
  }

  /**
   * Begins with the numbers of this epoch.
   * @param {string} epoch
   */
  begin(epoch) {
    if (epoch !== this.#epoch) {
      this.#drop();
      this.#epoch = epoch;
      this.position = this.#kept("localStorage", "read");
      this.seq = this.#kept("sessionStorage", "unread") ?? 0;
    }
  }

  /** Puts the line before the first message after the position, unless there is a line already. */
  mark() {
    if (this.seq) return;
    this.seq = (this.position ?? 0) + 1;
    remember("sessionStorage", `unread:${this.#room}`, `${this.#epoch} ${this.seq}`);
  }

  /**
   * Moves the position to `seq`, unless there is a line.
   * @param {number} seq
   */
  see(seq) {
    if (!this.#epoch || this.seq || seq <= (this.position ?? -1)) return;
    this.position = seq;
    remember("localStorage", `read:${this.#room}`, `${this.#epoch} ${seq}`);
    this.#onRead({ epoch: this.#epoch, seq });
  }

  /**
   * The person has read up to `seq` on another connection.
   * @param {number} seq
   */
  read(seq) {
    this.position = Math.max(seq, this.position ?? 0);
    if (this.seq <= seq) this.clear();
  }

  clear() {
    this.#drop();
    remember("sessionStorage", `unread:${this.#room}`, "");
  }

  /**
   * The line as an element, to be put before a row.
   * @param {Element} row
   */
  line(row) {
    const ts = Number(row.dataset.ts);
    this.#drop(this.seq);
    const line = (this.#line = make("li", { className: "marker unread", data: { ts } }, words.since(clock(ts))));
    this.#sight.observe(line);
    return line;
  }

  /**
   * Writes on the button how many messages are new, of those up to `head`.
   * @param {number} head
   */
  count(head) {
    if (this.seq && this.#view.isShown) jump.textContent = words.up(head - this.seq + 1);
  }

  /** The room has just been put on the page. */
  shown() {
    this.#sight.disconnect();
    if (this.#line) this.#sight.observe(this.#line);
  }

  #drop(seq = 0) {
    this.seq = seq;
    this.#sight.disconnect();
    clearInterval(this.#looking);
    if (this.#view.isShown && !seq) jump.hidden = true;
    this.#line?.remove();
    this.#line = null;
  }

  /** @param {import("../../shared/storage.js").Area} area   @param {string} name */
  #kept(area, name) {
    const [epoch, seq] = (recall(area, `${name}:${this.#room}`, isText) ?? "").split(" ");
    return epoch === this.#epoch && Number.isSafeInteger(Number(seq)) ? Number(seq) : null;
  }

  /**
   * Shows the button while the line is above the view.
   * @param {IntersectionObserverEntry} given
   */
  #sighted({ isIntersecting, boundingClientRect, rootBounds }) {
    clearInterval(this.#looking);
    if (!this.#view.isShown) return;
    jump.hidden = isIntersecting || boundingClientRect.top > (rootBounds?.top ?? 0) + this.#view.height / 2;
    this.#looks = 0;
    if (isIntersecting) this.#looking = setInterval(() => this.#look(), LOOK_EVERY);
  }

  #look() {
    this.#looks = inFocus() && this.#view.isShown ? this.#looks + 1 : 0;
    if (this.#looks >= LOOKS) this.#onSeen();
  }
}
