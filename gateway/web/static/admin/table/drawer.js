/** The drawer beside the table: everything about one connection, with orders for it. */

import { at } from "../../shared/address.js";
import { ask } from "../api.js";
import { columns } from "./columns.js";
import { fill, moment, written } from "../format.js";
import { askAbout } from "../actions/moderation.js";
import { byId, make } from "../../shared/dom.js";
import { event as events, drawer as words } from "../words.js";
import { sparkline } from "./sparkline.js";

const SPARKS = [["lag_bytes", words.lag, "size"], ["messages_in_rate", words.in, "rate"], ["messages_out_rate", words.out, "rate"]];
const WATCHED = 20_000; // characters kept

export class Drawer {
  #drawer = byId("drawer");
  /** @type {any} */
  #connection = null;
  #onClose;
  /** @type {EventSource | null} */
  #watch = null;

  /** @param {(id: string) => void} onClose   @param {() => void} onDone  called after an order */
  constructor(onClose, onDone) {
    this.#onClose = onClose;
    byId("drawer-close").addEventListener("click", () => this.close());
    byId("watch")?.addEventListener("click", () => (this.#watch ? this.#stopWatching() : this.#startWatching()));
    byId("drawer-orders")?.addEventListener("click", async (event) => {
      const action = event.target.dataset.order;
      if (!action) return;
      if (await askAbout(byId("drawer-order"), action, [this.#connection])) onDone();
      event.target.focus();
    });
  }

  get id() {
    return this.#drawer.hidden ? null : this.#connection?.id;
  }

  /**
   * Shows a connection: what the table knows at once, the rest when it arrives.
   * @param {Admin.Row} connection
   */
  async open(connection) {
    this.#stopWatching();
    this.#connection = connection;
    byId("drawer-order")?.replaceChildren();
    for (const id of ["sparks", "drawer-rooms", "drawer-events", "fields"]) byId(id).replaceChildren();
    this.#show(connection);
    this.#drawer.hidden = false;
    byId("drawer-title").focus();
    await this.refresh();
  }

  close() {
    if (this.#drawer.hidden) return false;
    this.#stopWatching();
    this.#drawer.hidden = true;
    this.#onClose(this.#connection.id);
    return true;
  }

  /** Updates the drawer. A connection that the server no longer knows stays as it was last seen. */
  async refresh() {
    const id = this.id;
    if (!id) return;
    const detail = await ask(`/admin/api/connections/${id}`).catch((error) => {
      if (error.status !== 404) throw error;
      return null;
    });
    if (!detail) byId("drawer-line").textContent = words.gone;
    if (!detail || this.id !== id) return;
    this.#connection = detail.connection;
    this.#show(detail.connection);
    this.#sparks(detail.sparkline);
    this.#rooms(detail.rooms);
    this.#events(detail.events);
  }

  /** @param {Admin.Row} connection */
  #show(connection) {
    const { nick, door, address, state, reason, words: last } = connection;
    const closed = state === "closed";
    byId("drawer-title").textContent = nick;
    byId("drawer-line").textContent = `${door} · ${address} · ${closed ? words.closed(reason, last) : state}`;
    if (byId("drawer-orders")) byId("drawer-orders").hidden = closed;
    for (const { field, label, shown } of columns) this.#field(field, label, connection[field], shown);
  }

  /** @param {string} field   @param {string} label   @param {unknown} value   @param {string} shown */
  #field(field, label, value, shown) {
    let cell = byId("fields").querySelector(`[data-field="${field}"]`);
    if (!cell) {
      cell = make("dd", { data: { field } });
      byId("fields").append(make("div", {}, make("dt", {}, label), cell));
    }
    fill(cell, value, shown === "agent" ? "text" : shown);
    cell.parentElement.hidden = cell.textContent === "" || cell.textContent === "n/a";
  }

  /** @param {Record<string, (number | null)[]>} given */
  #sparks({ at, ...lines }) {
    byId("sparks").replaceChildren(
      ...SPARKS.map(([name, label, shown]) => {
        const known = lines[name].filter((value) => value !== null);
        const now = written(lines[name].at(-1) ?? null, shown);
        const most = known.length ? written(Math.max(.../** @type {number[]} */ (known)), shown) : "n/a";
        return make("div", {}, make("dt", {}, label), make("dd", {}, sparkline(lines[name]), ` ${now}, `, make("span", { className: "muted" }, words.peak(most))));
      }),
    );
  }

  /** @param {Server.RoomLine[]} rooms */
  #rooms(rooms) {
    byId("drawer-rooms").replaceChildren(
      ...rooms.map(({ room, cursor, head, lag_bytes, reading }) => {
        const behind = head - cursor;
        const state = !reading ? words.unread : behind ? words.behind(behind, written(lag_bytes, "size")) : words.upToDate;
        return make("li", {}, room, make("span", { className: "muted" }, words.place(cursor, head, state)));
      }),
    );
    if (!rooms.length) byId("drawer-rooms").append(make("li", { className: "muted" }, words.noRooms));
  }

  /** @param {Server.EventLine[]} happened */
  #events(happened) {
    byId("drawer-events").replaceChildren(
      ...happened.map(({ at, event, detail }) => {
        const [what, more] = events.happened(event, detail);
        return make("li", {}, make("span", { className: "muted" }, moment(at)), ` ${what} `, make("span", { className: "muted" }, more));
      }),
    );
  }

  #startWatching() {
    const view = byId("watched");
    view.hidden = false;
    view.textContent = "";
    byId("watch").textContent = words.stopWatching;
    /** @param {string} sign   @param {string} text */
    const tell = (sign, text) => {
      view.textContent = (view.textContent + `${sign} ${text}\n`).slice(-WATCHED);
      view.scrollTop = view.scrollHeight;
    };
    const watch = (this.#watch = new EventSource(at(`/admin/api/connections/${this.id}/watch`)));
    watch.addEventListener("began", (event) => tell("--", words.watching(moment(JSON.parse(event.data).until))));
    watch.addEventListener("in", (event) => tell(">", JSON.parse(event.data).text));
    watch.addEventListener("out", (event) => tell("<", JSON.parse(event.data).text));
    watch.addEventListener("dropped", (event) => tell("--", words.dropped(JSON.parse(event.data).count)));
    watch.addEventListener("ended", (event) => {
      tell("--", words.ended(JSON.parse(event.data).reason));
      this.#stopWatching(true);
    });
    watch.addEventListener("error", () => {
      tell("--", words.unwatchable);
      this.#stopWatching(true);
    });
  }

  #stopWatching(keep = false) {
    this.#watch?.close();
    this.#watch = null;
    if (byId("watch")) byId("watch").textContent = words.watch;
    if (!keep) byId("watched").hidden = true;
  }
}
