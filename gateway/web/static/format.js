/** How values are written on the dashboard, the same as in gateway/web/tables/columns.py; null is unknown. */

import { make } from "./page.js";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const BROWSER = /(Edg|OPR|Firefox|Chrome|Version)\/(\d+)(?!.*\b(?:Edg|OPR)\/)/;
const two = (n) => String(n).padStart(2, "0");

const count = (n) => grouped.format(n);
const rate = (n) => (n === 0 ? "0" : n < 9.95 ? n.toFixed(1) : count(n));
const milliseconds = (n) => `${n.toFixed(n < 9.95 ? 1 : 0)} ms`;

function size(n) {
  if (n < 1000) return `${n.toFixed(0)} B`;
  if (n < 999_950) return `${(n / 1e3).toFixed(1)} kB`;
  if (n < 999_950_000) return `${(n / 1e6).toFixed(1)} MB`;
  return `${(n / 1e9).toFixed(1)} GB`;
}

function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [m, h, d] = [Math.floor(s / 60), Math.floor(s / 3600), Math.floor(s / 86400)];
  if (s < 60) return `${s} s`;
  if (m < 60) return `${m} m`;
  if (h < 24) return `${h} h ${two(m % 60)}`;
  return `${d} d ${two(h % 24)}:${two(m % 60)}`;
}

/** The time of today, the date too of another day. */
export function moment(at) {
  const date = new Date(at);
  if (date.toDateString() === new Date().toDateString()) return clock.format(date);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock.format(date)}`;
}

/** A browser's name and version out of all that it says of itself. */
function agent(value) {
  if (!value.startsWith("Mozilla/")) return value;
  const [, name = "browser", version = ""] = BROWSER.exec(value) ?? [];
  return `${{ Edg: "Edge", OPR: "Opera", Version: "Safari" }[name] ?? name} ${version}`.trim();
}

const list = (values) => values.join(", ");
const yes = (value) => (value ? "yes" : "no");
const ways = { count, rate, size, duration, milliseconds, moment, agent, list, yes };
/** How numbers are written, which stand at the right. */
export const numbers = new Set(["count", "rate", "size", "duration", "milliseconds"]);

/** A value as its column's `shown` wants it. */
export function written(value, shown) {
  if (value === null || value === undefined) return numbers.has(shown) ? "n/a" : "";
  return ways[shown]?.(value) ?? String(value);
}

/** Sets an element's text if it is another one, so that a selection in it survives. */
export function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Fills a cell with a value; a door and a state are a word with a shape, a name may be written from right to left. */
export function fill(cell, value, shown) {
  const words = written(value, shown);
  if (shown === "agent") cell.title = value ?? "";
  if (!["name", "door", "state"].includes(shown)) return put(cell, words);
  const inner = cell.firstElementChild ?? cell.appendChild(make(shown === "name" ? "bdi" : "span"));
  put(inner, shown === "door" ? ` ${words}` : words);
  if (shown === "name") return;
  inner.className = shown;
  inner.dataset[shown] = words;
}

/** Times that the server wrote in UTC, in this browser's zone. */
export function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    put(time, moment(Date.parse(time.dateTime)));
    time.title = new Date(time.dateTime).toISOString();
  }
}
