/**
 * The rows of a log in their order.
 *
 * - The server's numbers have no holes, so a jump between two neighbours means messages that were not sent to us. Holes,
 *   days and "same author as above" are derived from the neighbours (#settle) and never stored.
 * - Notices, joins and private messages have no number. They stay behind the row that they followed.
 * - At most 1,000 rows. At the end, the oldest go; while older ones are being read, the newest go or are not added, and
 *   then (view.detached) new messages are only counted until the person goes back to the end.
 */

import { make } from "../../shared/dom.js";
import { above, below, hole, messageRow, tick } from "./row.js";
import { Unread, inFocus } from "./unread.js";
import { View } from "./view.js";

const MOST_ROWS = 1_000;
const TRIMMED = 50; // rows at once, so that a full log is not measured for every message
/** After so many ms or lines of one author the name is shown again. */
const SAME_AUTHOR = 5 * 60_000;
const MOST_SAME = 10;

/** @param {number} ts */
const minuteOf = (ts) => Math.floor(ts / 60_000);

const calendar = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

export class RowList {
  element = make("ol", "log");
  view;
  unread;
  /** Whether the server has older messages than the first row. */
  more = false;
  #onLoad;
  /** @type {Map<number, HTMLElement>} */
  #rows = new Map();
  #messages = new WeakMap();
  #runs = new WeakMap(); // row -> when the run of its author began, and its number of rows
  #own = new Set();
  #gone = new Set(); // last numbers of holes that the server cannot fill

  /**
   * @param {string} room
   * @param {() => void} onEnd  called when the person wants to see the end
   * @param {(edge: "first" | "last") => void} onEdge  called when the first or the last row is nearly in view
   * @param {(from: number, to: number) => void} onLoad  called to fetch missing messages
   * @param {(position: {epoch: string, seq: number}) => void} onRead  seen up to there
   */
  constructor(room, onEnd, onEdge, onLoad, onRead) {
    this.view = new View(this.element, onEnd, onEdge, () => this.see());
    this.unread = new Unread(room, this.view, () => this.clearUnread(), onRead);
    this.#onLoad = onLoad;
  }

  /**
   * The message that a row shows.
   * @param {Element} row
   */
  messageOf(row) {
    return this.#messages.get(row);
  }

  get size() {
    return this.#rows.size;
  }

  /** The lowest number and the highest; infinite without any. */
  get first() {
    return Math.min(...this.#rows.keys());
  }

  get last() {
    return Math.max(...this.#rows.keys());
  }

  get isFull() {
    return this.element.children.length >= MOST_ROWS - 1;
  }

  /** @param {number} seq */
  has(seq) {
    return this.#rows.has(seq);
  }

  /** @param {number} seq */
  get(seq) {
    return this.#rows.get(seq);
  }

  /** @param {number} seq */
  isOwn(seq) {
    return this.#own.has(seq);
  }

  /**
   * We said it, here or on another connection.
   * @param {number} seq
   */
  mine(seq) {
    this.#own.add(seq);
  }

  /**
   * A message of ours is committed.
   * @param {number} seq
   */
  acknowledged(seq) {
    this.mine(seq);
    const row = this.#rows.get(seq);
    if (row) tick(row);
  }

  /**
   * The hole that ends before `seq` cannot be filled.
   * @param {number} seq
   */
  isGone(seq) {
    this.#gone.add(seq);
  }

  clear() {
    this.element.replaceChildren();
    this.#rows.clear();
    this.#gone.clear();
    this.#own.clear();
    this.view.detached = false;
    this.more = false;
  }

  /** What is in view has been seen, if somebody looks. */
  see() {
    if (this.view.isShown && inFocus()) this.unread.see(this.#lastInView());
  }

  /** Puts the line "new since" at its place, unless it is there. */
  markUnread() {
    if (this.unread.seq) return;
    this.unread.mark();
    const row = this.#rows.get([...this.#rows.keys()].find((seq) => seq >= this.unread.seq) ?? 0);
    if (row) this.view.keep(() => this.#settle(row));
  }

  /** Removes the line: everything up to `seq`, or to what is in view, has been seen. */
  clearUnread(seq = 0) {
    if (this.unread.seq) this.unread.clear();
    this.see();
    this.unread.see(seq);
  }

  #lastInView() {
    let row = this.view.atEnd ? this.element.lastElementChild : this.view.lastRow();
    if (row && !row.dataset.seq) row = above(row);
    return Number(row?.dataset.seq ?? 0);
  }

  /**
   * Makes the row of a message.
   * @param {Server.Msg} message
   * @param {string} me
   * @returns {HTMLElement} not yet in the list
   */
  draw(message, me) {
    const row = messageRow(message, me, this.#own.has(message.seq));
    this.#messages.set(row, message);
    this.#rows.set(message.seq, row);
    if (message.paste) import("../later/long_text.js").then((part) => part.fold(row, /** @type {any} */ (message), this.view));
    return row;
  }

  /**
   * Inserts messages at their places. `asked` is the number before which they were requested.
   * @param {Server.Msg[]} messages
   * @param {string} me
   * @param {number | null} asked
   * @param {boolean} fromEnd
   */
  insert(messages, me, asked, fromEnd) {
    const placed = messages.filter(({ seq }) => !this.#rows.has(seq)).map((message) => this.#place(message, me));
    const touched = new Set([...placed.flatMap((one) => [one, below(one)]), this.#rows.get(asked ?? 0)]);
    for (const row of touched) row && this.#settle(row);
    this.#trim(MOST_ROWS, fromEnd);
  }

  /**
   * Shows at the end that messages were not sent to us.
   * @param {number} from
   * @param {number} to
   */
  tail(from, to) {
    this.element.querySelector(".tail")?.remove();
    const row = this.#hole(from, to);
    row.classList.add("tail");
    this.append(row);
  }

  /**
   * Adds a row at the end, which shows `message` if it is one without a number.
   * @param {Element} row
   */
  append(row, message = this.#messages.get(row)) {
    this.#messages.set(row, message);
    row.dataset.ts ??= Date.now();
    if (row.dataset.seq) this.element.querySelector(".tail")?.remove();
    this.element.append(row);
    this.#settle(row);
    if (this.view.following && this.element.children.length >= MOST_ROWS) this.view.keep(() => this.#trim(MOST_ROWS - TRIMMED, false));
    this.view.stick();
  }

  /** @param {Server.Msg} message   @param {string} me */
  #place(message, me) {
    const next = [...this.#rows.keys()].filter((seq) => seq > message.seq);
    const row = this.draw(message, me);
    if (next.length) this.#rows.get(Math.min(...next))?.before(row);
    else this.#last(message.ts).after(row);
    return row;
  }

  /**
   * The last row that is a message or not younger than `ts`; the beginning of the list, if there is none.
   * @param {number} ts
   */
  #last(ts) {
    let row = this.element.lastElementChild;
    while (row && !row.dataset.seq && Number(row.dataset.ts) > ts) row = row.previousElementSibling;
    return row ?? { after: (/** @type {Element} */ first) => this.element.prepend(first) };
  }

  /**
   * Drops rows beyond `most`, at the last row if `fromEnd`, otherwise at the first.
   * @param {number} most
   * @param {boolean} fromEnd
   */
  #trim(most, fromEnd) {
    while (this.element.children.length > most) {
      const row = fromEnd ? this.element.lastElementChild : this.element.firstElementChild;
      this.#rows.delete(Number(row.dataset.seq));
      row.remove();
      if (fromEnd) this.view.detached = true;
      else this.more = true;
    }
    const first = this.element.firstElementChild;
    if (first?.classList.contains("same")) this.#settle(first); // its author stood in a row that is gone
  }

  /**
   * Puts the markers that a row needs before it (a hole, a new day), and hides the author if it is the same as above.
   * @param {Element} row
   */
  #settle(row) {
    if (row.matches(".marker")) return;
    while (row.previousElementSibling?.matches(".marker:not(.tail)")) row.previousElementSibling.remove();
    const neighbour = row.previousElementSibling;
    const markers = [];
    const missing = this.#holeBefore(row);
    if (missing) markers.push(missing);
    const ts = Number(row.dataset.ts);
    const day = calendar.format(ts);
    if (!neighbour || calendar.format(Number(neighbour.dataset.ts)) !== day) markers.push(make("li", "marker day", make("span", "", day)));
    if (this.#beginsUnread(row)) markers.push(this.unread.line(row));
    for (const marker of markers) {
      marker.dataset.ts = ts;
      row.before(marker);
    }
    const [here, there] = [this.#messages.get(row), neighbour && this.#messages.get(neighbour)];
    const said = here?.kind === "say" && there?.kind === "say" && there.nick === here.nick && there.door === here.door;
    const { first = there?.ts, count = 1 } = (neighbour && this.#runs.get(neighbour)) ?? {};
    const same = said && !markers.length && ts - first < SAME_AUTHOR && count < MOST_SAME;
    this.#runs.set(row, same ? { first, count: count + 1 } : { first: ts, count: 1 });
    row.classList.toggle("same", Boolean(same));
    row.classList.toggle("hush", !markers.length && minuteOf(ts) === minuteOf(neighbour?.dataset.ts));
  }

  /**
   * The first row that is new; where what was new before it is not loaded, it stands for all.
   * @param {Element} row
   */
  #beginsUnread(row) {
    const { seq } = this.unread;
    return seq && Number(row.dataset.seq) >= seq && Number(above(row)?.dataset.seq ?? 0) < seq;
  }

  /** @param {Element} row */
  #holeBefore(row) {
    const seq = Number(row.dataset.seq);
    if (!seq) return null;
    const last = Number(above(row)?.dataset.seq ?? Infinity);
    if (last >= seq - 1) return null;
    return this.#hole(last + 1, seq - 1);
  }

  /** @param {number} from   @param {number} to */
  #hole(from, to) {
    return hole(from, to, this.#gone.has(to) ? null : () => this.#onLoad(from, to));
  }
}
