/**
 * The person's view on a log's rows.
 *
 * It follows the end only when it is near it. Otherwise no change moves what the person is reading: the first visible row
 * (the anchor) is put back where it was.
 */

import { byId } from "../../shared/dom.js";
import { log as words } from "../words.js";

const NEAR = 40; // px from the end
const EDGE = 200; // px from the first or the last row, where more is fetched

const scroller = byId("scroller");
const newest = byId("newest");

/** Where the words of a row stand; above them is more or less room, with or without the author. */
const topOf = (row) => (row.querySelector(".text") ?? row).getBoundingClientRect().top;

export class View {
  following = true;
  /** The rows at the end are unloaded: new messages are only counted. */
  detached = false;
  #list;
  #onEdge;
  #onScroll;
  #top = 0; // of the view, and its height, as of the last scrolling
  #height = 0;
  #anchor = null;
  #unseen = 0; // messages since the view left the end
  #frame = 0;

  /**
   * @param {HTMLElement} list
   * @param {() => void} onEnd  the person wants to see the end
   * @param {(edge: "first" | "last") => void} onEdge  a row near which more may have to be fetched comes into sight
   * @param {() => void} onScroll  other rows are in view
   */
  constructor(list, onEnd, onEdge, onScroll) {
    this.#list = list;
    this.#onEdge = onEdge;
    this.#onScroll = onScroll;
    newest.addEventListener("click", () => this.isShown && onEnd());
    scroller.addEventListener("scroll", () => this.isShown && this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.isShown && this.keep()).observe(scroller);
  }

  /** Whether this log is the one on the page. */
  get isShown() {
    return this.#list.isConnected;
  }

  get atEnd() {
    return this.following && !this.detached;
  }

  get height() {
    return this.#height;
  }

  /** The list has just been put on the page. */
  begin() {
    this.keep();
    this.#top = scroller.scrollTop;
    this.#height = scroller.clientHeight;
  }

  /** A message has come that is not in view. */
  missed() {
    this.#unseen += 1;
  }

  /** Does something to the rows and leaves the view on them where it was. */
  keep(change = () => {}) {
    const anchor = this.following ? null : this.#anchor;
    change();
    if (!this.isShown) return;
    if (!anchor?.row.isConnected) this.stick();
    else scroller.scrollTop += topOf(anchor.row) - anchor.top;
  }

  /** To the end, once a frame, if the view follows it. */
  stick() {
    if (this.#frame || !this.following) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      scroller.scrollTop = scroller.scrollHeight;
      this.#height = scroller.clientHeight;
    });
  }

  showNewest() {
    newest.hidden = this.atEnd;
    newest.textContent = words.newest(this.#unseen);
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    // Rows that were just added put the end further away, and so does a higher message box; only the person's going up
    // means leaving it.
    if (scrollHeight - scrollTop - clientHeight <= NEAR) this.following ||= !this.detached;
    else if (scrollTop < this.#top && clientHeight === this.#height) this.following = false;
    this.#top = scrollTop;
    this.#height = clientHeight;
    if (this.atEnd) this.#unseen = 0;
    else this.#findAnchor();
    this.showNewest();
    this.#onScroll();
    if (!this.following && scrollTop < EDGE) this.#onEdge("first");
    if (this.detached && scrollHeight - scrollTop - clientHeight < EDGE) this.#onEdge("last");
  }

  /** The last row of which something is in view. */
  lastRow() {
    return this.#rowAt(scroller.getBoundingClientRect().bottom - 1);
  }

  /** The first row that ends below `edge`, or the last one. */
  #rowAt(edge) {
    const rows = this.#list.children;
    let [low, high] = [0, rows.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].getBoundingClientRect().bottom > edge) high = middle;
      else low = middle + 1;
    }
    return rows[low];
  }

  #findAnchor() {
    let row = this.#rowAt(scroller.getBoundingClientRect().top);
    while (row?.classList.contains("marker")) row = row.nextElementSibling; // markers are made anew
    this.#anchor = row ? { row, top: topOf(row) } : null;
  }
}
