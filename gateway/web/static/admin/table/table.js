/**
 * The table of connections. Rows are known by their id and changed in place.
 *
 * While the pointer is on the table, or a kick is being written, no row is added, removed or moved: values change, rows of
 * closed connections turn grey, and the new order waits. If the page holds every connection, a missing row is a closed
 * connection, and stays grey for 10 s; otherwise it may have moved to another page, and is removed at once.
 */

import { at } from "../../shared/address.js";
import { chosen } from "./columns.js";
import { banBy, fill, numbers, put } from "../format.js";
import { byId } from "../../shared/dom.js";
import { table as words } from "../words.js";

const GREY_FOR = 10_000;

export class Table {
  #table = byId("connections");
  #body = byId("rows");
  #form = byId("row").content.querySelector("tr");
  #heads = this.#table.tHead.rows[0];
  #before = this.#heads.querySelector(".tick") ? 1 : 0; // cells before the columns
  /** @type {{field: string, shown: string}[]} */
  #columns = [];
  #rows = new Map();
  #goneAt = new Map(); // id -> when it was first missed
  #pointed = false;
  /** @type {string[] | null} */
  #waiting = null; // the ids in an order that waits until the pointer leaves

  /** The connections on the page, by id. */
  connections = new Map();

  /** @param {(id: string, form: HTMLFormElement) => void} onKick */
  constructor(onKick) {
    for (const row of this.#body.rows) this.#rows.set(row.dataset.id, row);
    this.#columns = [...this.#heads.querySelectorAll("[data-field]")].map(({ dataset }) => ({ ...dataset }));
    this.#table.addEventListener("pointerenter", (event) => (this.#pointed = event.pointerType === "mouse"));
    this.#table.addEventListener("pointerleave", () => {
      this.#pointed = false;
      this.#release();
    });
    this.#body.addEventListener("submit", (event) => {
      event.preventDefault();
      const row = event.target.closest("tr");
      this.#closeForm(row);
      onKick(row.dataset.id, event.target);
    });
    this.#body.addEventListener("click", (event) => {
      if (event.target.dataset.cancel !== undefined) this.#closeForm(event.target.closest("tr"));
    });
    this.#body.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#closeForm(event.target.closest("tr"))) event.stopPropagation();
    });
    this.#body.addEventListener("toggle", (event) => this.#toggled(event.target), true);
  }

  /**
   * Draws the heads: the columns of a state, the order, and the link of each.
   * @param {import("./query.js").Query} query
   */
  head(query) {
    const columns = chosen(query.state);
    /** @param {{field: string}[]} list */
    const fields = (list) => list.map(({ field }) => field).join();
    if (fields(columns) !== fields(this.#columns)) {
      this.#columns = columns;
      for (const old of this.#heads.querySelectorAll("[data-field]")) old.remove();
      this.#heads.lastElementChild.before(...columns.map(({ head }) => head.cloneNode(true)));
      this.clear();
    }
    this.#table.dataset.state = query.state;
    for (const head of this.#heads.querySelectorAll("[data-field]")) {
      if (head.dataset.field === "up") put(head.querySelector("a"), query.state === "closed" ? words.lasted : words.up);
      const { first, second } = head.dataset;
      if (query.sort === first || query.sort === second) {
        head.setAttribute("aria-sort", query.sort.startsWith("-") ? "descending" : "ascending");
      } else head.removeAttribute("aria-sort");
      const sort = query.sort === first ? second : first;
      head.querySelector("a").href = at(`/admin?${query.with({ sort, cursor: "", snapshot: "" })}`);
    }
  }

  /**
   * @param {Admin.Row[]} connections  one page of them, in order
   * @param {boolean} whole   the page holds all connections
   * @param {boolean} force   reorder the rows, wherever the pointer is
   */
  show(connections, whole, force) {
    const now = Date.now();
    const ids = connections.map(({ id }) => id);
    this.connections = new Map(connections.map((connection) => [connection.id, connection]));
    for (const connection of connections) this.#fill(connection);
    for (const [id, row] of this.#rows) {
      if (this.connections.has(id)) this.#goneAt.delete(id);
      else if (!this.#goneAt.has(id)) this.#goneAt.set(id, whole ? now : -Infinity);
      row.classList.toggle("gone", this.#goneAt.has(id) && whole);
    }
    this.#waiting = ids;
    this.#release(force);
  }

  /** Removes all rows, for another page or another order. */
  clear() {
    this.#rows.clear();
    this.#goneAt.clear();
    this.#waiting = null;
    this.#body.replaceChildren();
  }

  /** @param {string} id */
  gone(id) {
    this.#goneAt.set(id, Date.now());
    this.#rows.get(id)?.classList.add("gone");
  }

  /**
   * Moves the focus by `by` rows; to the first one if no row has it.
   * @param {number} by
   */
  step(by) {
    const rows = [...this.#body.rows];
    const at = rows.indexOf(document.activeElement?.closest("#rows tr"));
    const row = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))];
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} id */
  focus(id) {
    this.#rows.get(id)?.focus();
  }

  /** @param {Admin.Row} connection */
  #fill(connection) {
    const id = connection.id;
    if (!this.#rows.has(id)) this.#rows.set(id, this.#new(id));
    const row = this.#rows.get(id);
    row.dataset.state = connection.state;
    this.#columns.forEach(({ field, shown }, at) => fill(row.cells[at + this.#before], connection[field], shown));
    row.querySelector(".tick input")?.setAttribute("aria-label", words.select(connection.nick));
    row.querySelector("[data-open]").setAttribute("aria-label", words.details(connection.nick));
  }

  /** @param {string} id */
  #new(id) {
    const row = this.#form.cloneNode(true);
    row.dataset.id = id;
    const field = row.querySelector("input[name=id]");
    if (field) field.value = id;
    const by = row.querySelector("[name=ban_by]");
    if (by) by.value = banBy(this.connections.get(id)?.address);
    row.lastElementChild.before(
      ...this.#columns.map(({ field, shown }) => {
        const cell = document.createElement("td");
        cell.className = numbers.has(shown) ? "number" : "";
        Object.assign(cell.dataset, { field, shown });
        return cell;
      }),
    );
    return row;
  }

  /** Puts the rows into the waiting order, unless somebody is using them. */
  #release(force = false) {
    const writing = this.#body.querySelector("details[open]") !== null;
    const held = (this.#pointed || writing) && !force && this.#body.rows.length > 0; // an empty table has nothing to hold
    const note = byId("held");
    if (held || !this.#waiting) {
      const shown = [...this.#body.rows].map((row) => row.dataset.id);
      note.hidden = !(held && this.#waiting && this.#waiting.join() !== shown.join());
      return;
    }
    note.hidden = true;
    const late = Date.now() - GREY_FOR;
    const order = this.#waiting.map((id) => this.#rows.get(id));
    for (const [id, at] of this.#goneAt) {
      if (at >= late) order.splice([...this.#body.rows].indexOf(this.#rows.get(id)), 0, this.#rows.get(id));
      else {
        this.#rows.get(id)?.remove();
        this.#rows.delete(id);
        this.#goneAt.delete(id);
      }
    }
    const focused = document.activeElement;
    order.forEach((row, at) => {
      if (this.#body.rows[at] !== row) this.#body.insertBefore(row, this.#body.rows[at] ?? null);
    });
    if (focused !== document.activeElement && this.#body.contains(focused)) focused?.focus({ preventScroll: true });
    this.#waiting = null;
  }

  /** @param {any} details */
  #toggled(details) {
    if (!details.open) this.#release();
    else {
      for (const other of this.#body.querySelectorAll("details[open]")) if (other !== details) other.open = false;
      details.querySelector("input[name=reason]").focus();
    }
  }

  /** @param {any} row */
  #closeForm(row) {
    const details = row?.querySelector("details[open]");
    if (!details) return false;
    details.open = false;
    details.querySelector("summary").focus();
    return true;
  }
}
