/** How numbers are written on the dashboard, the same as in the template _format.html; null is unknown. */

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const two = (n) => String(n).padStart(2, "0");

const count = (n) => grouped.format(n);

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

const milliseconds = (n) => `${n.toFixed(1)} ms`;
const limit = (n) => (n ? count(n) : "no limit");
const text = (value) => String(value);
const ways = { count, size, duration, milliseconds, limit, text };

/** A value as the element's data-as wants it. */
export function written(value, as = "text") {
  if (value === null || value === undefined) return as === "text" ? "" : as === "limit" ? "no limit" : "n/a";
  return ways[as](value);
}

/** Sets an element's text if it is another one, so that a selection in it survives. */
export function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
