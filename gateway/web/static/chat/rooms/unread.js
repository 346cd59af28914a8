/**
 * Where the person stopped reading a room, and the line "new since" behind it.
 *
 * - The position is the last message really seen: it was in view while the page was in focus. It only grows, is told to
 *   the server, and is kept in this browser, for days if need be.
 * - What comes unseen gets the line before it. While there is a line, the position waits.
 * - The line goes when it was itself in view for 3 s in focus, by Esc, or by speaking. It is kept in this tab.
 */

import { byId, make } from "../../shared/dom.js";
import { isText, recall, remember } from "../../shared/storage.js";
import { clock } from "../preferences.js";
import { log as words } from "../words.js";

const LOOKS = 6; // so many in a row, at intervals of LOOK_EVERY, and the line has been seen
const LOOK_EVERY = 500;

const jump = byId("jump");

/** Whether somebody looks at the page. */
export const inFocus = () => !document.hidden && document.hasFocus();

export class Unread {
  /** The number of the message after the line; 0 = there is no line. */
  seq = 0;
  /** The number of the last message seen; null until it is known. */
  position = null;
  #room;
  #epoch = "";
  #view;
  #line = null;
  #onSeen;
  #onRead;
  #looking = 0; // the timer that looks whether the line is seen
  #looks = 0;
  #sight = new IntersectionObserver((entries) => this.#sighted(entries.at(-1)));

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

  /** The numbers are of this epoch. `read` is what the server knows of the position. */
  begin(epoch, read = 0) {
    if (epoch !== this.#epoch) {
      this.#drop();
      this.#epoch = epoch;
      this.position = this.#kept("localStorage", "read");
      this.seq = this.#kept("sessionStorage", "unread") ?? 0;
    }
    if (read) this.read(read);
  }

  /** The line goes before the first message after the position; where it stands already, it stays. */
  mark() {
    if (this.seq) return;
    this.seq = this.position + 1;
    remember("sessionStorage", `unread:${this.#room}`, `${this.#epoch} ${this.seq}`);
  }

  /** Messages up to there have been seen, unless the line has not. */
  see(seq) {
    if (!this.#epoch || this.seq || seq <= (this.position ?? -1)) return;
    this.position = seq;
    remember("localStorage", `read:${this.#room}`, `${this.#epoch} ${seq}`);
    this.#onRead({ epoch: this.#epoch, seq });
  }

  /** The person has read up to there elsewhere. */
  read(seq) {
    this.position = Math.max(seq, this.position ?? 0);
    if (this.seq && this.seq <= seq) this.clear();
  }

  clear() {
    this.#drop();
    remember("sessionStorage", `unread:${this.#room}`, "");
  }

  /** The line, to be put before a row. */
  line(row) {
    const ts = Number(row.dataset.ts);
    this.#drop(this.seq);
    this.#line = make("li", "marker unread", words.since(clock(ts)));
    this.#line.dataset.ts = ts;
    this.#sight.observe(this.#line);
    return this.#line;
  }

  /** How many are new, of those up to `head`. */
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

  #kept(area, name) {
    const [epoch, seq] = (recall(area, `${name}:${this.#room}`, isText) ?? "").split(" ");
    return epoch === this.#epoch && Number.isSafeInteger(Number(seq)) ? Number(seq) : null;
  }

  /** Offers the way up to the line while it is above what is seen. */
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
