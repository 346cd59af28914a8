/** Header, tiles, the strip of an overload, title and icon. Screen readers read only a change of health. */

import { at } from "../shared/address.js";
import { put, written } from "./format.js";
import { byId, make } from "../shared/dom.js";
import { health as words } from "./words.js";

const NEAR = 0.8; // of a limit
const AT = 0.95;

let said = byId("health").dataset.health;

/** @param {Server.Summary} summary  the JSON of /admin/api/summary */
export function show(summary) {
  put(byId("up"), written(summary.uptime, "duration"));
  health(summary);
  listeners(summary.listeners, isMaintained(summary));
  nodes(summary.nodes ?? []);
  for (const [name, tile] of Object.entries(summary.tiles)) {
    for (const element of document.querySelectorAll(`#tiles [data-tile="${name}"]`)) level(element, tile);
  }
  for (const element of document.querySelectorAll("#tiles [data-key]")) {
    /** @type {any} */
    const tile = summary.tiles[element.closest("[data-tile]")?.dataset.tile];
    put(element, written(tile[element.dataset.key], element.dataset.shown));
  }
}

/**
 * One entry for each node, which filters the table by it; there is no list where there is one gateway alone.
 * @param {Server.NodeLine[]} list
 */
function nodes(list) {
  const known = byId("nodes");
  if (!known) return;
  const key = list.map(({ node }) => node).join(" ");
  if (known.dataset.key !== key) {
    /** @param {string} node */
    const entry = (node) => make("li", {}, make("a", { href: at(`/admin?q=node:${encodeURIComponent(node)}`) }, node), " ", make("span"));
    known.replaceChildren(...list.map(({ node }) => entry(node)));
    known.dataset.key = key;
  }
  for (const [place, { health, connections, missing, clock_ms: clock }] of list.entries()) {
    const entry = known.children[place];
    entry.dataset.state = missing ? "missing" : health;
    entry.title = missing ?? "";
    const off = clock ? written(Math.abs(clock), "duration") : "";
    put(entry.querySelector("span"), missing ? words.silent : words.node(written(connections, "count"), health ?? "", off));
  }
}

/**
 * Whether newcomers are turned away.
 * @param {{causes: Server.CauseLine[]}} given
 */
const isMaintained = ({ causes }) => causes.some(({ name }) => name === "maintenance");

/** @param {Server.Summary} given */
function health({ health, causes, tiles }) {
  const word = isMaintained({ causes }) ? words.maintenance : health.toUpperCase();
  const why = causes.map(({ text }) => text).join("; ");
  byId("health").dataset.health = health;
  byId("health").title = why;
  put(byId("health").querySelector("b"), word);
  put(byId("health").querySelector(".cause"), causes[0]?.text ?? "");
  const calm = health === "ok";
  const icon = byId("icon");
  icon.dataset.calm ??= icon.href;
  icon.href = calm ? icon.dataset.calm : icon.dataset.unread;
  if (document.body.dataset.here === "connections") document.title = words.title(tiles.connections.now ?? 0, calm ? "" : word);
  byId("strain").hidden = health !== "overloaded";
  put(byId("strain-text"), why);
  const now = [health, ...causes.map(({ name }) => name)].join();
  if (now !== said && said !== health) put(byId("aloud"), words.said(word, why));
  said = now;
}

/** @param {Element} tile   @param {Server.Tile} given */
function level(tile, { now, limit }) {
  const share = limit ? (now ?? 0) / limit : 0;
  const warning = tile.querySelector(".warning");
  if (!warning) return;
  tile.dataset.level = share >= AT ? "at" : share >= NEAR ? "near" : "";
  put(warning, share >= AT ? words.at : share >= NEAR ? words.near : "");
}

/** @param {Server.ListenerLine[]} list   @param {boolean} maintained */
function listeners(list, maintained) {
  const known = byId("listeners");
  const key = JSON.stringify([list, maintained]);
  if (known.dataset.key === key) return;
  known.dataset.key = key;
  known.replaceChildren(
    ...list.map(({ door, address, state }) => {
      const shut = maintained && state === "ready";
      return make("li", {}, make("span", { className: "door", data: { door } }, ` ${door}`), " ",
        make("span", { className: "mono" }, address), " ", make("span", { className: "ready", data: { state: shut ? "closed" : state } }, words.listener[shut ? "maintained" : state] ?? state));
    }),
  );
}
