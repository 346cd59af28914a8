/** The query of the table: filter, state, order, page size, cursor. The address has it, so that a link shows the same. */

import { at } from "../../shared/address.js";
import { byId } from "../../shared/dom.js";

/** @type {Record<string, string>} */
const DEFAULTS = { q: "", state: "open", sort: "", limit: "50", cursor: "" };

export class Query {
  #onChange;
  q = "";
  state = "open";
  sort = "";
  limit = "50";
  cursor = "";
  snapshot = ""; // the frozen moment that is shown; not in the address, because it lasts only a minute

  /** @param {() => void} onChange  called when the query has changed */
  constructor(onChange) {
    this.#onChange = onChange;
    const { sort, state, cursor } = byId("connections").dataset;
    Object.assign(this, DEFAULTS, { sort, state, cursor, q: byId("q").value, limit: byId("limit").value });
    addEventListener("popstate", () => {
      Object.assign(this, DEFAULTS, { sort }, Object.fromEntries(new URL(location.href).searchParams));
      byId("limit").value = this.limit;
      byId("state").value = this.state;
      this.#onChange();
    });
    byId("limit").addEventListener("change", () => this.go({ limit: byId("limit").value }));
    byId("state").addEventListener("change", () => this.go({ state: byId("state").value, sort: this.#usual() }));
    byId("previous").addEventListener("click", (event) => {
      event.preventDefault();
      history.back();
    });
    for (const link of [byId("first"), byId("next")]) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        const cursor = new URL(link.href).searchParams.get("cursor") ?? "";
        this.go({ cursor }, cursor ? (history.state?.depth ?? 0) + 1 : 0);
      });
    }
  }

  /** The default order: of closed connections the latest first. */
  #usual() {
    return byId("state").value === "closed" ? "-closed_at" : this.sort === "-closed_at" ? "-lag_bytes" : this.sort;
  }

  /** The query for the API. */
  get search() {
    return this.with({});
  }

  /** @param {Partial<Admin.Query & {snapshot: string}>} changes */
  with(changes) {
    /** @type {Record<string, any>} */
    const fields = { ...this, ...changes };
    const search = new URLSearchParams();
    for (const name of Object.keys(DEFAULTS)) {
      if (fields[name] && (fields[name] !== DEFAULTS[name] || name === "limit")) search.set(name, fields[name]);
    }
    if (fields.snapshot) search.set("snapshot", fields.snapshot);
    return search;
  }

  /**
   * Changes the query, from the first page on; `depth`: how many of our own pages are behind in the history.
   * @param {Partial<Admin.Query>} changes
   */
  go(changes, depth = 0) {
    Object.assign(this, { cursor: "" }, changes);
    history.pushState({ depth }, "", at(`/admin?${this.with({ snapshot: "" })}`));
    this.#onChange();
  }

  /** Starts again from the first page, because the cursor is no longer valid. */
  restart() {
    this.cursor = "";
    history.replaceState(null, "", at(`/admin?${this.with({ snapshot: "" })}`));
  }

  /**
   * A page has arrived; the next one begins at `next`.
   * @param {string | null} next
   */
  answered(next) {
    /** @param {string} id   @param {boolean} hidden   @param {string} cursor */
    const link = (id, hidden, cursor) => {
      byId(id).hidden = hidden;
      byId(id).href = at(`/admin?${this.with({ cursor, snapshot: "" })}`);
    };
    link("first", !this.cursor, "");
    link("previous", !(this.cursor && history.state?.depth), "");
    link("next", !next, next ?? "");
    for (const kind of ["csv", "jsonl"]) {
      byId(kind).href = at(`/admin/api/connections.${kind}?${this.with({ cursor: "", limit: "" })}`);
    }
  }
}
