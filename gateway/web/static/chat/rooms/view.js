/**
 * The person's view on a log's rows.
 *
 * It follows the end while it is near the end. Otherwise no change moves what the person is reading: the first visible
 * row (the anchor) is put back to where it was.
 */

import { byId } from "../../shared/dom.js";
import { log as words } from "../words.js";

const NEAR = 40; // px from the end
const NAME = 8; // px of the first row that may be out of view while its author can be read
const EDGE = 200; // px from the first or the last row, where more is fetched

const scroller = byId("scroller");
const newest = byId("newest");

/**
 * The top of the text in a row; how far below the row's own top it is depends on whether the author is shown.
 * @param {Element} row
 */
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
  /** @type {{row: Element, top: number} | null} */
  #anchor = null;
  /** @type {Element | null} */
  #first = null; // row in view
  #unseen = 0; // messages since the view left the end
  #frame = 0;

  /**
   * @param {HTMLElement} list
   * @param {() => void} onEnd  called when the person wants to see the end
   * @param {(edge: "first" | "last") => void} onEdge  called when the first or the last row is nearly in view
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

  /** Begins when the list has been put on the page. */
  begin() {
    this.keep();
    this.#top = scroller.scrollTop;
    this.#height = scroller.clientHeight;
  }

  /** Counts a message that is not in view. */
  missed() {
    this.#unseen += 1;
  }

  /** Changes the rows without moving what is in view. */
  keep(change = () => {}) {
    const anchor = this.following ? null : this.#anchor;
    change();
    if (!this.isShown) return;
    if (!anchor || !anchor.row.isConnected) this.stick();
    else scroller.scrollTop += topOf(anchor.row) - anchor.top;
  }

  /** Scrolls to the end, once per frame, if the view follows it. */
  stick() {
    if (this.#frame || !this.following) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.following) scroller.scrollTop = scroller.scrollHeight; // somebody may have gone to a message meanwhile
      this.#height = scroller.clientHeight;
    });
  }

  showNewest() {
    newest.hidden = this.atEnd;
    newest.textContent = words.newest(this.#unseen);
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    // Added rows move the end further away, and so does a higher message box; only scrolling up by the person
    // means that the view leaves the end.
    if (scrollHeight - scrollTop - clientHeight <= NEAR) this.following ||= !this.detached;
    else if (scrollTop < this.#top && clientHeight === this.#height) this.following = false;
    this.#top = scrollTop;
    this.#height = clientHeight;
    if (this.atEnd) this.#unseen = 0;
    else this.#findAnchor();
    this.showNewest();
    this.#nameFirst();
    this.#onScroll();
    if (!this.following && scrollTop < EDGE) this.#onEdge("first");
    if (this.detached && scrollHeight - scrollTop - clientHeight < EDGE) this.#onEdge("last");
  }

  /** The last row of which something is in view. */
  lastRow() {
    return this.#rowAt(scroller.getBoundingClientRect().bottom - 1);
  }

  /**
   * The first row that ends below `edge`, or the last one.
   * @param {number} edge
   */
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

  /** Shows the author of the first row in view, also if it is the same as above. */
  #nameFirst() {
    const edge = scroller.getBoundingClientRect().top;
    let row = this.#rowAt(edge);
    if (row?.getBoundingClientRect().top < edge - NAME) row = row.nextElementSibling ?? row;
    if (row === this.#first) return;
    this.#first?.classList.remove("first");
    row?.classList.add("first");
    this.#first = row;
  }

  #findAnchor() {
    /** @type {Element | null} */
    let row = this.#rowAt(scroller.getBoundingClientRect().top);
    while (row?.classList.contains("marker")) row = row.nextElementSibling; // markers are replaced
    this.#anchor = row ? { row, top: topOf(row) } : null;
  }
}
