/** The panels below the table: recent events, and the connections closed last. */

import { ask } from "./api.js";
import { moment, written } from "./format.js";
import { byId, make } from "../shared/dom.js";
import { event as words } from "./words.js";

const KEPT = 500; // events, so that a filter has something to find
const SHOWN = 12;

/** @type {Server.EventRow[]} */
let events = []; // the newest first
/** @type {number | null} */
let cursor = null;

byId("events-filter").addEventListener("input", () => showEvents());
byId("events-pause").addEventListener("click", (event) => {
  const paused = event.target.getAttribute("aria-pressed") !== "true";
  event.target.setAttribute("aria-pressed", String(paused));
  event.target.textContent = paused ? words.resume : words.pause;
  if (!paused) showEvents();
});

export async function pull() {
  const [happened, { connections }] = await Promise.all([
    ask(`/admin/api/events?${cursor === null ? "" : `after=${cursor}&`}limit=${KEPT}`),
    ask(`/admin/api/connections?state=closed&sort=-closed_at&limit=${SHOWN}`),
  ]);
  cursor = happened.cursor;
  if (happened.events.length) {
    events = [...happened.events.reverse(), ...events].slice(0, KEPT);
    if (byId("events-pause").getAttribute("aria-pressed") !== "true") showEvents();
  }
  byId("no-closed").hidden = connections.length > 0;
  byId("closed").replaceChildren(
    ...connections.map((/** @type {any} */ { closed_at, door, nick, reason, words: last, up }) => {
      const glyph = make("span", { className: "door", data: { door } }, make("span", { className: "aloud" }, door));
      return line(closed_at, [glyph, " ", make("bdi", {}, nick)], reason, last, make("td", { className: "number" }, written(up, "duration")));
    }),
  );
}

function showEvents() {
  const wanted = byId("events-filter").value.toLowerCase().split(/\s+/);
  /** @param {Server.EventRow} given */
  const fits = ({ nick, id, event, detail }) => {
    const text = `${nick ?? ""} ${id ?? ""} ${event} ${words.happened(event, detail).join(" ")}`.toLowerCase();
    return wanted.every((/** @type {string} */ word) => text.includes(word));
  };
  const found = events.filter(fits).slice(0, SHOWN);
  byId("no-events").hidden = found.length > 0;
  byId("no-events").textContent = events.length ? words.unmatched : words.none;
  byId("events").replaceChildren(
    ...found.map(({ at, id, nick, event, detail }) => line(at, [make("bdi", { title: id ?? "" }, nick ?? id ?? "")], words.happened(event, detail)[0], words.happened(event, detail)[1])),
  );
}

/**
 * @param {number} at
 * @param {(string | Node)[]} who
 * @param {string} what
 * @param {string} more
 * @param {...Node} rest
 */
function line(at, who, what, more, ...rest) {
  return make(
    "tr", {},
    make("td", { className: "when" }, moment(at)),
    make("td", { className: "who" }, ...who),
    make("td", { title: `${what} ${more}`.trim() }, `${what} `, make("span", { className: "muted" }, more)),
    ...rest,
  );
}
