/** The line "new since" before the first message that came while nobody looked, and the way up to it. */

import { byId, make } from "../../shared/dom.js";
import { isText, recall, remember } from "../../shared/storage.js";
import { clock } from "../preferences.js";
import { log as words } from "../words.js";

const jump = byId("jump");

export class Unread {
  /** The number of the message after the line; 0 = there is no line. */
  seq = 0;
  #key;
  #list;
  #view;
  #news = 0; // messages since
  #sight = new IntersectionObserver(([entry]) => this.#showJump(entry));

  /**
   * @param {string} room
   * @param {HTMLElement} list
   * @param {import("./view.js").View} view
   */
  constructor(room, list, view) {
    this.#key = `unread:${room}`;
    this.#list = list;
    this.#view = view;
    jump.addEventListener("click", () => view.isShown && list.querySelector(".unread")?.scrollIntoView({ block: "start" }));
  }

  /** The line goes before a message; where it stands already, it stays. */
  mark(epoch, seq, row) {
    if (this.seq || !row) return;
    this.seq = seq;
    this.#news = 1;
    remember("sessionStorage", this.#key, `${epoch} ${seq}`);
    row.classList.remove("same");
    row.before(this.line(row));
  }

  /** The line stands where it stood before the page was loaded anew. */
  recall(epoch) {
    const [itsEpoch, seq] = (recall("sessionStorage", this.#key, isText) ?? "").split(" ");
    if (itsEpoch === epoch && Number.isSafeInteger(Number(seq))) this.seq = Number(seq);
  }

  /** One message more. */
  count() {
    if (this.seq) this.#news += 1;
  }

  clear() {
    if (!this.seq) return;
    this.seq = 0;
    remember("sessionStorage", this.#key, "");
    this.#sight.disconnect();
    if (this.#view.isShown) jump.hidden = true;
    this.#list.querySelector(".unread")?.remove();
  }

  /** The line, to be put before a row. */
  line(row) {
    const ts = Number(row.dataset.ts);
    const line = make("li", "marker unread", words.since(clock(ts)));
    line.dataset.ts = ts;
    this.#sight.disconnect();
    this.#sight.observe(line);
    return line;
  }

  /** Offers the way up to the line while it is above what is seen. */
  #showJump({ isIntersecting, boundingClientRect, rootBounds }) {
    if (!this.#view.isShown) return;
    jump.hidden = isIntersecting || boundingClientRect.top > (rootBounds?.top ?? 0) + this.#view.height / 2;
    jump.textContent = words.up(this.#news);
  }
}
