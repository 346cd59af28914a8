/** The ticked rows, of other pages too, and the orders for all of them. */

import { byId } from "../../shared/dom.js";
import { load } from "../on_demand.js";

export class Selection {
  #ticked = new Map(); // id -> connection
  #table;
  #onDone;

  /** @param {() => void} onDone  called after an order   @param {import("./table.js").Table} table */
  constructor(table, onDone) {
    this.#table = table;
    this.#onDone = onDone;
    if (!byId("selection")) return;
    byId("rows").addEventListener("change", (event) => {
      if (event.target.closest(".tick")) this.#tick(event.target.checked, event.target.closest("tr").dataset.id);
    });
    byId("tick-all").addEventListener("change", (event) => {
      this.#tick(event.target.checked, ...this.#table.connections.keys());
    });
    byId("unselect").addEventListener("click", () => this.clear());
    byId("selection").addEventListener("click", (event) => {
      const action = event.target.dataset.order;
      if (action) this.#act(action);
    });
  }

  /**
   * Ticks or unticks a row.
   * @param {string} id
   */
  toggle(id) {
    if (byId("selection") && id) this.#tick(!this.#ticked.has(id), id);
  }

  clear() {
    this.#ticked.clear();
    byId("selection-order")?.replaceChildren();
    this.show();
  }

  /** Updates the boxes. */
  show() {
    if (!byId("selection")) return;
    for (const row of byId("rows").rows) {
      const ticked = this.#ticked.has(row.dataset.id);
      row.querySelector(".tick input").checked = ticked;
      row.classList.toggle("ticked", ticked);
    }
    const here = [...this.#table.connections.keys()];
    const ticked = here.filter((id) => this.#ticked.has(id)).length;
    byId("tick-all").checked = ticked > 0 && ticked === here.length;
    byId("tick-all").indeterminate = ticked > 0 && ticked < here.length;
    byId("selected").textContent = this.#ticked.size;
    byId("selection").hidden = this.#ticked.size === 0;
  }

  /** @param {boolean} on   @param {string[]} ids */
  #tick(on, ...ids) {
    for (const id of ids) {
      const connection = this.#table.connections.get(id);
      if (on && connection && connection.state !== "closed") this.#ticked.set(id, connection);
      else this.#ticked.delete(id);
    }
    this.show();
  }

  /** @param {string} action */
  async #act(action) {
    const connections = [...this.#ticked.values()];
    const place = byId(connections.length === 1 ? "selection-order" : "order-dialog");
    const { askAbout } = await load("moderation");
    const outcome = await askAbout(place, action, connections);
    if (!outcome) return;
    for (const id of outcome.gone) this.#ticked.delete(id);
    if (action === "kick" || action === "ban") for (const id of outcome.done) this.#ticked.delete(id);
    this.show();
    this.#onDone();
  }
}
