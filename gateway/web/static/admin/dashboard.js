/**
 * The page of the connections: pulls the figures and one page of the table, and hands them to the modules that show them.
 * What is not visible at first (drawer, orders, charts) is loaded on demand.
 */

import "./admin.js";
import { ask } from "./api.js";
import { offer } from "./table/columns.js";
import { Filter } from "./table/filter.js";
import { put } from "./format.js";
import { Frozen } from "./table/frozen_moment.js";
import { onKey } from "./keys.js";
import { Live } from "./polling.js";
import { byId } from "../shared/dom.js";
import { load } from "./on_demand.js";
import { toast } from "./toast.js";
import { isYesOrNo, recall, remember } from "../shared/storage.js";
import * as panels from "./recent.js";
import { Query } from "./table/query.js";
import { Selection } from "./table/selection.js";
import * as summary from "./summary.js";
import { Table } from "./table/table.js";
import { table as words } from "./words.js";

const KEEP_FROZEN = 20_000; // ms between two requests for a frozen moment, which the server drops after a minute without one

let fresh = false; // another page was requested: the rows shown are not part of it
let force = false; // reorder at once, whatever the pointer does
let looked = 0; // when the table was last requested
/** @type {typeof import("./charts.js") | null} */
let charts = null;
/** @type {import("./table/drawer.js").Drawer | null} */
let drawer = null;
let matching = 0; // connections that match the filter

const query = new Query(() => {
  fresh = true;
  filter.show(query.q);
  offer(query.state, reshape);
  live.now();
});
const filter = new Filter((q) => {
  if (q === query.q) return;
  selection.clear();
  query.go({ q });
});
const table = new Table(async (id, form) => {
  const { reason, ban_seconds: ban, ban_by: by } = form.elements;
  const connection = table.connections.get(id) ?? { id, nick: form.closest("tr")?.querySelector("bdi").textContent };
  const { kick } = await load("moderation");
  kick(connection, { reason: reason.value.trim(), ban: ban?.checked, ban_by: by?.value }).then(acted);
});
const selection = new Selection(table, acted);
const frozen = new Frozen(() => {
  query.snapshot = "";
  if (query.cursor) query.restart();
  look();
});
const EVERY = [...byId("every").options].map(({ value }) => value);
byId("every").value = recall("localStorage", "every", (value) => EVERY.includes(value)) ?? "2";
const live = new Live(pull, () => Number(byId("every").value) * 1_000);

/** Requests everything that is shown. */
async function pull() {
  const asked = query.search.toString();
  const [figures, rows] = await Promise.all([
    ask("/admin/api/summary"),
    filter.wrong ? null : askRows(asked),
    panels.pull(),
    drawer?.refresh(),
    pullCharts(),
  ]);
  summary.show(figures);
  if (figures.campaigns) load("campaign").then(({ watch }) => watch());
  if (rows && asked === query.search.toString()) show(rows);
}

/** @param {string} asked */
async function askRows(asked) {
  if (frozen.on && query.snapshot && !fresh && Date.now() - looked < KEEP_FROZEN) return null;
  looked = Date.now();
  try {
    return await ask(`/admin/api/connections?${asked}${frozen.on && !query.snapshot ? "&freeze=1" : ""}`);
  } catch (error) {
    if (error.error?.word !== undefined) filter.refuse(error.error);
    else if (error.status === 410) {
      toast(words.expired);
      frozen.thaw();
      query.snapshot = "";
      query.restart();
      look();
    } else if (error.status === 400 && query.cursor) {
      query.restart();
      look();
    } else throw error;
    return null;
  }
}

/** @param {Server.TablePage} given */
function show({ connections, total, of, cursor, at, snapshot, missing = [] }) {
  if (frozen.on) {
    frozen.at = at;
    query.snapshot = snapshot ?? "";
  }
  matching = total;
  if (byId("missing")) {
    byId("missing").hidden = !missing.length;
    put(byId("missing-text"), missing.map(({ why }) => why).join("; "));
  }
  const all = byId("all-button");
  if (all) {
    all.hidden = query.state !== "open" || !total;
    put(all, words.actOnAll(total, query.q));
  }
  if (fresh) table.clear();
  table.head(query);
  table.show(/** @type {Admin.Row[]} */ (connections), !cursor && !query.cursor && !missing.length, force || fresh);
  fresh = force = false;
  selection.show();
  query.answered(cursor);
  put(byId("matching"), query.q ? words.matching(total, of) : words.total(total, query.state));
  const nobody = total === 0;
  document.querySelector(".sheet-of-rows").hidden = nobody && byId("rows").rows.length === 0;
  byId("empty").hidden = !(nobody && !query.q && query.state === "open");
  byId("none-closed").hidden = !(nobody && !query.q && query.state !== "open");
  byId("unmatched").hidden = !(nobody && query.q);
  if (nobody && query.q) filter.offer();
}

/** Shows other columns. */
function reshape() {
  fresh = true;
  live.now();
}

/** An order was carried out: show its effect at once. */
function acted() {
  live.now();
}

/** Pulls now, and puts the rows in order. */
function look() {
  fresh = true;
  live.now();
}

byId("every").addEventListener("change", () => {
  remember("localStorage", "every", byId("every").value);
  live.plan();
});
byId("refresh").addEventListener("click", () => {
  force = true;
  live.now();
});
byId("connections").tHead.addEventListener("click", (/** @type {Happened} */ event) => {
  const head = event.target.closest("a")?.closest("th");
  if (!head) return;
  event.preventDefault();
  query.go({ sort: query.sort === head.dataset.first ? head.dataset.second : head.dataset.first });
});
byId("rows").addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  const own = event.target.closest("a, button, input, label, summary, form");
  if (event.target.closest("[data-open]") || (!own && !String(getSelection()))) open(row);
});

/** @param {Element | null | undefined} row */
async function open(row) {
  const connection = table.connections.get(row?.dataset.id);
  if (!connection) return;
  const { Drawer } = await load("drawer");
  const shown = (drawer ??= /** @type {import("./table/drawer.js").Drawer} */ (new Drawer((/** @type {string} */ id) => table.focus(id), acted)));
  shown.open(connection);
}

const focused = () => document.activeElement?.closest("#rows tr");

onKey("j", () => table.step(1));
onKey("k", () => table.step(-1));
onKey("Enter", () => (document.activeElement?.matches("#rows tr") ? open(focused()) : false));
onKey("x", () => selection.toggle(focused()?.dataset.id));
onKey("r", () => byId("refresh").click());
onKey("f", () => byId("freeze").click());
onKey("Escape", () => drawer?.close() || document.activeElement?.blur());
for (const number of "12345") {
  onKey(number, () => {
    byId("charts").open = true;
    loadCharts().then(({ enlarge }) => enlarge(Number(number) - 1));
  });
}

/** @returns {Promise<typeof import("./charts.js")>} */
async function loadCharts() {
  return (charts ??= await load("charts"));
}

/** Does nothing while the charts are folded away or could not be loaded. */
async function pullCharts() {
  if (byId("charts").open) await (await loadCharts().catch(() => null))?.pull();
}

byId("charts").addEventListener("toggle", () => {
  remember("localStorage", "charts", byId("charts").open);
  if (byId("charts").open) live.now();
});
byId("charts").open = recall("localStorage", "charts", isYesOrNo) ?? matchMedia("(min-width: 900px)").matches;
byId("announce-button")?.addEventListener("click", async () => (await load("announce")).open());
byId("maintenance-button")?.addEventListener("click", async () => (await load("maintenance")).open());
byId("all-button")?.addEventListener("click", async () => (await load("campaign")).open(query.q, matching));

offer(query.state, reshape);
live.now();
