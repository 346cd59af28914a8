/**
 * The table of connections. Rows are known by their id and changed in place.
 *
 * While the pointer is on the table, or a kick is being written, no row comes, goes or moves: values change, rows that
 * are gone turn grey, and the order waits. Where the page holds every connection, a row that vanished is a connection
 * that closed, and stays grey for 10 s; on a cut page it may only have moved to another page, and goes at once.
 */

import { put, written } from "./format.js";

const GREY_FOR = 10_000;

export class Table {
  #body = document.getElementById("rows");
  #form = document.getElementById("row");
  #held = document.getElementById("held");
  #rows = new Map();
  #goneAt = new Map(); // id -> when it was first missed
  #pointed = false;
  #waiting = null; // the ids whose order waits for the pointer to leave

  /** @param {(id: string, nick: string, reason: string) => void} onKick */
  constructor(onKick) {
    for (const row of this.#body.rows) this.#rows.set(row.dataset.id, row);
    const table = this.#body.closest("table");
    table.addEventListener("pointerenter", (event) => (this.#pointed = event.pointerType === "mouse"));
    table.addEventListener("pointerleave", () => {
      this.#pointed = false;
      this.#release();
    });
    this.#body.addEventListener("submit", (event) => {
      event.preventDefault();
      const row = event.target.closest("tr");
      this.#closeForm(row);
      onKick(row.dataset.id, row.querySelector("bdi").textContent, event.target.elements.reason.value.trim());
    });
    this.#body.addEventListener("click", (event) => {
      if (event.target.dataset.cancel !== undefined) this.#closeForm(event.target.closest("tr"));
    });
    this.#body.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#closeForm(event.target.closest("tr"));
    });
    this.#body.addEventListener("toggle", (event) => this.#toggled(event.target), true);
  }

  /**
   * @param {{id: string}[]} connections  one page of them, in order
   * @param {boolean} whole   the page holds all there are
   */
  show(connections, whole) {
    const now = Date.now();
    const ids = connections.map((connection) => String(connection.id));
    const present = new Set(ids);
    for (const connection of connections) this.#fill(connection, now);
    for (const [id, row] of this.#rows) {
      if (present.has(id)) this.#goneAt.delete(id);
      else if (!this.#goneAt.has(id)) this.#goneAt.set(id, whole ? now : -Infinity);
      row.classList.toggle("gone", this.#goneAt.has(id) && whole);
    }
    this.#waiting = ids;
    this.#release();
  }

  /** Another page or another order: the old rows mean nothing there. */
  clear() {
    this.#rows.clear();
    this.#goneAt.clear();
    this.#waiting = null;
    this.#body.replaceChildren();
  }

  gone(id) {
    this.#goneAt.set(id, Date.now());
    this.#rows.get(id)?.classList.add("gone");
  }

  #fill(connection, now) {
    const id = String(connection.id);
    if (!this.#rows.has(id)) {
      const row = this.#form.content.firstElementChild.cloneNode(true);
      row.dataset.id = id;
      const field = row.querySelector("input[name=id]");
      if (field) field.value = id;
      this.#rows.set(id, row);
    }
    const row = this.#rows.get(id);
    row.dataset.state = connection.state;
    const values = { ...connection, up: connection.connected_at === null ? null : now - connection.connected_at };
    for (const cell of row.querySelectorAll("[data-value]")) {
      const words = written(values[cell.dataset.value], cell.dataset.as);
      put(cell.querySelector("bdi, .word") ?? cell, words);
    }
    row.querySelector(".door").dataset.door = connection.door;
  }

  /** Brings the rows into the order that waits, unless somebody is at them. */
  #release() {
    const writing = this.#body.querySelector("details[open]") !== null;
    const held = (this.#pointed || writing) && this.#body.rows.length > 0; // an empty table has nothing to hold
    if (held || !this.#waiting) {
      const shown = [...this.#body.rows].map((row) => row.dataset.id);
      this.#held.hidden = !(held && this.#waiting && this.#waiting.join() !== shown.join());
      return;
    }
    this.#held.hidden = true;
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
    order.forEach((row, at) => {
      if (this.#body.rows[at] !== row) this.#body.insertBefore(row, this.#body.rows[at] ?? null);
    });
    this.#waiting = null;
  }

  #toggled(details) {
    if (!details.open) this.#release();
    else {
      for (const other of this.#body.querySelectorAll("details[open]")) if (other !== details) other.open = false;
      details.querySelector("input[name=reason]").focus();
    }
  }

  #closeForm(row) {
    const details = row?.querySelector("details[open]");
    if (!details) return;
    details.open = false;
    details.querySelector("summary").focus();
  }
}
