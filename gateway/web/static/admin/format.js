/** How values are written on the dashboard, the same as in gateway/web/tables/columns.py; null is unknown. */

import { make } from "../shared/dom.js";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const BROWSER = /(Edg|OPR|Firefox|Chrome|Version)\/(\d+)(?!.*\b(?:Edg|OPR)\/)/;
/** @param {number} n */
const two = (n) => String(n).padStart(2, "0");

// Truncated, not rounded, so that a filter word with the text of a cell finds its row: see gateway/core/quantity.py.
/** @param {number} n */
const tenths = (n, unit = 1) => (Math.floor(Math.floor(n * 10) / unit) / 10).toFixed(1);
/** @param {number} n */
const count = (n) => grouped.format(Math.trunc(n));
/** @param {number} n */
const rate = (n) => (n === 0 ? "0" : n < 10 ? tenths(n) : count(n));
/** @param {number} n */
const milliseconds = (n) => `${n < 10 ? tenths(n) : Math.trunc(n)} ms`;

/** @param {number} n */
function size(n) {
  if (n < 1e3) return `${Math.trunc(n)} B`;
  if (n < 1e6) return `${tenths(n, 1e3)} kB`;
  return n < 1e9 ? `${tenths(n, 1e6)} MB` : `${tenths(n, 1e9)} GB`;
}

/** @param {number} ms */
function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [m, h, d] = [Math.floor(s / 60), Math.floor(s / 3600), Math.floor(s / 86400)];
  if (s < 60) return `${s}s`;
  if (m < 60) return `${m}m`;
  return h < 24 ? `${h}h ${two(m % 60)}m` : `${d}d ${two(h % 24)}h`;
}

/**
 * The time; with the date, unless it is today.
 * @param {number} at
 */
export function moment(at) {
  const date = new Date(at);
  if (date.toDateString() === new Date().toDateString()) return clock.format(date);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock.format(date)}`;
}

/**
 * A browser's name and version from its User-Agent.
 * @param {string} value
 */
function agent(value) {
  if (!value.startsWith("Mozilla/")) return value;
  const [, name = "browser", version = ""] = BROWSER.exec(value) ?? [];
  return `${{ Edg: "Edge", OPR: "Opera", Version: "Safari" }[name] ?? name} ${version}`.trim();
}

/** @param {string[]} values */
const list = (values) => values.join(", ");
/** @param {any} value */
const yes = (value) => (value ? "yes" : "no");
/** @type {Record<string, (value: any) => string>} */
const ways = { count, rate, size, duration, milliseconds, moment, agent, list, yes };
/** The formats of numbers, which are aligned right. */
export const numbers = new Set(["count", "rate", "size", "duration", "milliseconds"]);

/**
 * A value in the format `shown` of its column.
 * @param {any} value
 * @param {string} shown
 */
export function written(value, shown) {
  if (value === null || value === undefined) return numbers.has(shown) ? "n/a" : "";
  return ways[shown]?.(value) ?? String(value);
}

/**
 * Sets an element's text, unless it is the same, so that a selection in it survives.
 * @param {Element} element
 * @param {string} words
 */
export function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/**
 * Fills a cell with a value. Doors and states are a word with a shape; a name may be written from right to left.
 * @param {any} cell
 * @param {any} value
 * @param {string} shown
 */
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

/**
 * Times that the server wrote in UTC, in this browser's zone.
 * @param {ParentNode} root
 */
export function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    put(time, moment(Date.parse(time.dateTime)));
    time.title = new Date(time.dateTime).toISOString();
  }
}

/**
 * What a ban goes by unless it is chosen: banned by name alone, somebody is back under another one; but many come from this machine.
 * @param {string | null} address
 */
export const banBy = (address) => (/^127\.|^::1$/.test(address ?? "") ? "name" : "both");
