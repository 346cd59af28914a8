/**
 * The dashboard: pulls the summary and one page of connections, and shows them; kicks.
 *
 * One pull at a time; the next is planned when one has ended, so a slow server is not asked faster than it answers. A
 * hidden page does not pull. Sort, page size and page live in the address, so a reload or a sent link shows the same.
 */

import { put, written } from "./format.js";
import { Table } from "./table.js";

const byId = (id) => document.getElementById(id);
const PATIENCE = 10_000;
const LONGEST_RETRY = 30_000;
const NEAR = 0.8; // of a limit
const AT = 0.95;
const TOAST_FOR = 6_000;

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** An answer that is not the one we asked for. */
class Refusal extends Error {
  /** @param {number} status @param {string} text */
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Asks the API; throws a Refusal, or a TypeError or TimeoutError when there was no answer at all. */
async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE) });
  const json = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refusal(answer.status, json?.error?.text ?? answer.statusText);
  return json;
}

function toast(words) {
  const line = document.createElement("p");
  line.textContent = words;
  byId("toasts").append(line);
  setTimeout(() => line.remove(), TOAST_FOR);
}

/** What the address asks for: the order and the place in it. */
class Query {
  #table = byId("connections");
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
    this.sort = this.#table.dataset.sort;
    this.cursor = this.#table.dataset.cursor;
    addEventListener("popstate", () => this.#read());
    byId("limit").addEventListener("change", () => this.#go({ cursor: "" }));
    this.#table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("a") && event.target.closest("th");
      if (!head) return;
      event.preventDefault();
      this.#go({ sort: this.sort === head.dataset.first ? head.dataset.second : head.dataset.first, cursor: "" });
    });
    for (const link of [byId("first"), byId("next")]) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        this.#go({ cursor: new URL(link.href).searchParams.get("cursor") ?? "" });
      });
    }
  }

  get search() {
    return this.#with(this.cursor);
  }

  /** The page has come: where does it go on? */
  answered(next) {
    byId("first").hidden = !this.cursor;
    byId("first").href = `/admin?${this.#with("")}`;
    byId("next").hidden = !next;
    byId("next").href = `/admin?${this.#with(next ?? "")}`;
  }

  /** The place is no longer there (the snapshot is too old): back to the first page. */
  restart() {
    this.cursor = "";
    history.replaceState(null, "", `/admin?${this.search}`);
  }

  #with(cursor) {
    const fields = new URLSearchParams({ sort: this.sort, limit: byId("limit").value });
    if (cursor) fields.set("cursor", cursor);
    return fields;
  }

  #go({ sort = this.sort, cursor }) {
    this.sort = sort;
    this.cursor = cursor;
    history.pushState(null, "", `/admin?${this.search}`);
    this.#changed();
  }

  #read() {
    const fields = new URL(location.href).searchParams;
    this.sort = fields.get("sort") ?? this.#table.dataset.sort;
    this.cursor = fields.get("cursor") ?? "";
    byId("limit").value = fields.get("limit") ?? "50";
    this.#changed();
  }

  #changed() {
    for (const head of this.#table.tHead.querySelectorAll("th[data-first]")) {
      const { first, second } = head.dataset;
      const number = head.classList.contains("number");
      if (this.sort === first) head.setAttribute("aria-sort", number ? "descending" : "ascending");
      else if (this.sort === second) head.setAttribute("aria-sort", number ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    this.#onChange();
  }
}

/** The header and the tiles. */
class Summary {
  show(summary) {
    const at = (path) => path.split(".").reduce((value, key) => value?.[key], summary);
    for (const element of document.querySelectorAll("#tiles [data-as]")) {
      put(element, written(at(element.dataset.value), element.dataset.as));
    }
    for (const tile of document.querySelectorAll("#tiles [data-limit]")) {
      const limit = at(tile.dataset.limit);
      const share = limit ? at(tile.dataset.value) / limit : 0;
      tile.dataset.level = share >= AT ? "at" : share >= NEAR ? "near" : "";
      put(tile.querySelector(".warning"), share >= AT ? "at the limit" : share >= NEAR ? "near the limit" : "");
    }
    put(byId("up"), written(summary.uptime, "duration"));
    put(byId("health"), summary.health.toUpperCase());
    byId("health").dataset.health = summary.health;
    byId("health").title = summary.causes.map(({ text }) => text).join("; ");
    document.title = `${written(summary.tiles.connections.now, "count")} connected · gateway`;
    this.#listeners(summary.listeners);
  }

  #listeners(listeners) {
    const rows = listeners.map(({ door, address, state }) => {
      const row = document.createElement("li");
      const name = document.createElement("span");
      name.className = "door";
      name.dataset.door = door;
      name.textContent = ` ${door}`;
      const where = document.createElement("span");
      where.className = "mono";
      where.textContent = address;
      row.append(name, " ", where, ` ${state}`);
      return row;
    });
    const words = (list) => [...list].map((row) => row.textContent.replace(/\s+/g, " ").trim()).join();
    if (words(byId("listeners").children) !== words(rows)) byId("listeners").replaceChildren(...rows);
  }
}

/** Why nothing is live: shown over the page, with the next try. */
class Banner {
  #since = null;
  #timer = 0;

  constructor(onPress) {
    byId("banner-button").addEventListener("click", onPress);
    byId("banner-button").textContent = "Retry now";
  }

  hide() {
    clearInterval(this.#timer);
    this.#since = null;
    byId("banner").hidden = true;
    document.body.classList.remove("stale");
  }

  retrying(until) {
    this.#since ??= new Date();
    const tell = () => {
      const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000));
      byId("banner-text").textContent = `Not live since ${clock.format(this.#since)}, retry in ${seconds} s`;
    };
    this.#show(false);
    tell();
    this.#timer = setInterval(tell, 1_000);
  }

  /** The server says no, and will say so again. */
  ended(words) {
    this.#show(true);
    byId("banner-text").textContent = words;
  }

  #show(final) {
    clearInterval(this.#timer);
    byId("banner").hidden = false;
    byId("banner-button").hidden = final;
    byId("banner-link").hidden = !final;
    document.body.classList.add("stale");
  }
}

class Dashboard {
  #summary = new Summary();
  #table = new Table((id, nick, reason) => this.#kick(id, nick, reason));
  #banner = new Banner(() => this.#pull());
  #query = new Query(() => {
    this.#fresh = true;
    this.#pull();
  });
  #fresh = false; // another page was asked for: the rows shown are not of it
  #timer = 0;
  #pulling = false;
  #again = false;
  #failures = 0;

  start() {
    byId("every").value = localStorage.getItem("every") ?? "2";
    byId("every").addEventListener("change", () => {
      localStorage.setItem("every", byId("every").value);
      this.#plan();
    });
    byId("refresh").addEventListener("click", () => this.#pull());
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.#timer) : this.#pull()));
    this.#plan();
  }

  #plan(delay = Number(byId("every").value) * 1_000) {
    clearTimeout(this.#timer);
    if (delay && !document.hidden) this.#timer = setTimeout(() => this.#pull(), delay);
  }

  async #pull() {
    this.#again = this.#pulling;
    if (this.#pulling) return;
    this.#pulling = true;
    clearTimeout(this.#timer);
    const slow = setTimeout(() => (byId("loading").hidden = false), 300);
    try {
      const asked = this.#query.search.toString();
      const [summary, page] = await Promise.all([ask("/admin/api/summary"), ask(`/admin/api/connections?${asked}`)]);
      if (asked === this.#query.search.toString()) this.#show(summary, page);
      this.#failures = 0;
      this.#banner.hide();
      this.#plan();
    } catch (error) {
      this.#failed(error);
    } finally {
      clearTimeout(slow);
      byId("loading").hidden = true;
      this.#pulling = false;
      if (this.#again) this.#pull();
    }
  }

  #show(summary, { connections, total, cursor }) {
    if (this.#fresh) this.#table.clear();
    this.#fresh = false;
    this.#summary.show(summary);
    this.#table.show(connections, !cursor && !this.#query.cursor);
    this.#query.answered(cursor);
    put(byId("matching"), `${connections.length} of ${written(total, "count")}`);
    byId("empty").hidden = total > 0;
  }

  #failed(error) {
    if (error.status === 401) return this.#banner.ended("Your session is over. Nothing here is live any more.");
    if (error.status === 403) return this.#banner.ended(`You have no right to see this: ${error.message}`);
    if (this.#query.cursor && error.status >= 400 && error.status < 500) this.#query.restart();
    const delay = Math.min(LONGEST_RETRY, 2_000 * 2 ** this.#failures++);
    this.#banner.retrying(Date.now() + delay);
    this.#plan(delay);
  }

  async #kick(id, nick, reason) {
    const token = document.querySelector("meta[name=csrf-token]").content;
    const headers = { "X-CSRF-Token": token, "Content-Type": "application/json" };
    try {
      await ask(`/admin/api/connections/${encodeURIComponent(id)}`, { method: "DELETE", headers, body: JSON.stringify({ reason }) });
      toast(`${nick} is kicked`);
      this.#table.gone(id);
    } catch (error) {
      if (error.status === 404) {
        toast(`${nick} was gone already`);
        this.#table.gone(id);
      } else toast(`${nick} stays: ${error.message}`);
    }
  }
}

new Dashboard().start();
