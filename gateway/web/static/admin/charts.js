/**
 * Five charts of the figures over time, drawn by uPlot (vendor/uPlot.js: its 1.6.32 as published, with an export at the
 * end). The server keeps the figures; a pull requests only new ones. Each chart has its figures as a table too.
 */

import { ask } from "./api.js";
import { moment, put, written } from "./format.js";
import { byId, make } from "../shared/dom.js";
import { recall, remember } from "../shared/storage.js";
import { chart as words } from "./words.js";
import UPlot from "../vendor/uPlot.js";

const HEIGHT = 112;
const TALL = 260;
const TABLED = 60; // rows of a table

/** @param {string[][]} series */
const named = (...series) => series.map(([figure, label, shown, side = "y"]) => ({ figure, label, shown, side }));
/** @type {Admin.Plan[]} */
const PLOTS = [
  { title: words.connections, stacked: true, series: () => named(["connections_tcp", "tcp", "count"], ["connections_telnet", "telnet", "count"], ["connections_web", "web", "count"], ["connections_http", "http", "count"]) },
  { title: words.messages, series: () => named(["messages_in", words.in, "rate"], ["deliveries", words.fanOut, "rate", "right"]) },
  { title: words.bytes, series: () => named(["bytes_in", words.in, "size"], ["bytes_out", words.out, "size"]) },
  { title: words.lag, series: () => named(["lag_p50", words.lagMedian, "size"], ["lag_p99", words.lagWorst, "size"], ["loop_lag_max_ms", words.loop, "milliseconds", "right"]) },
  { title: words.closes, stacked: true, bars: true, series: (figures) => named(...Object.keys(figures).filter((name) => name.startsWith("closed_")).map((name) => [name, name.slice(7), "count"])) },
];

const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4]];
const WHOLE = [...Array(10).keys()].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power)); // steps between ticks
/** @type {Record<string, number>} */
const LEAST = { count: 4, rate: 4, size: 1000, milliseconds: 10 }; // the least top of an axis

/**
 * A colour of the current theme.
 * @param {string} name
 */
function style(name) {
  const probe = make("i", {});
  probe.style.color = `var(${name})`;
  byId("plots").append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** @param {number} at */
const hue = (at) => style(`--series-${(at % 6) + 1}`);

/**
 * Stacked values, the topmost first.
 * @param {number[][]} columns
 */
function stack(columns) {
  const sum = new Array(columns[0]?.length ?? 0).fill(0);
  return columns.map((column) => column.map((value, at) => (sum[at] += value))).reverse();
}

/** One chart with its legend and its table. */
class Chart {
  #plan;
  /** @type {any} */
  #plot = null;
  /** @type {Admin.Series[]} */
  #series = [];
  /** @type {Record<string, number[]>} */
  #figures = { t: [] };
  /** @type {Server.Mark[]} */
  #marks = [];
  #legend = make("ul", { className: "legend" });
  #picture = make("div", { className: "picture" });
  #table = make("details", {}, make("summary", {}, words.asTable));
  element;

  /** @param {Admin.Plan} plan */
  constructor(plan) {
    this.#plan = plan;
    const title = make("button", { type: "button", className: "quiet", aria: { pressed: "false" } }, plan.title);
    title.addEventListener("click", () => enlarge(charts.indexOf(this)));
    this.element = make("section", { className: "plot", aria: { label: words.label(plan.title) } }, make("h2", {}, title), this.#picture, this.#legend, this.#table);
    this.#table.addEventListener("toggle", () => this.#tabulate());
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#picture);
  }

  /** @param {boolean} large */
  set large(large) {
    this.element.classList.toggle("large", large);
    this.element.querySelector("button").setAttribute("aria-pressed", String(large));
    this.#plot?.setSize(this.#size());
  }

  /** @param {Record<string, number[]>} figures columns by name   @param {{at: number, text: string}[]} marks what operators did */
  show(figures, marks) {
    const series = this.#plan.series(figures);
    const same = this.#plot && series.map(({ figure }) => figure).join() === this.#series.map(({ figure }) => figure).join();
    this.#series = series;
    this.#figures = figures;
    this.#marks = marks;
    if (same) this.#plot.setData(this.#data());
    else this.draw();
    this.#tell(null);
    if (this.#table.open) this.#tabulate();
  }

  /** Draws again, in the colours of the theme. */
  draw() {
    this.#plot?.destroy();
    this.#plot = new /** @type {any} */ (UPlot)(this.#options(), this.#data(), this.#picture);
    this.#legend.replaceChildren(
      ...this.#series.map(({ label }, at) => {
        const swatch = make("i", {});
        swatch.style.setProperty("--hue", hue(at));
        return make("li", {}, swatch, label, " ", make("b", {}));
      }),
      make("li", { className: "mark" }),
    );
  }

  #columns() {
    return this.#series.map(({ figure }) => this.#figures[figure] ?? this.#figures.t.map(() => 0));
  }

  #data() {
    const columns = this.#columns();
    return [this.#figures.t.map((at) => at / 1000), ...(this.#plan.stacked ? stack(columns) : columns)];
  }

  #size() {
    const height = this.element.classList.contains("large") ? TALL : HEIGHT;
    return { width: Math.max(160, this.#picture.clientWidth), height };
  }

  #options() {
    const { stacked, bars } = this.#plan;
    const order = this.#series.map((_, at) => at);
    if (stacked) order.reverse();
    const axis = { stroke: style("--muted"), font: "11px system-ui", grid: { stroke: style("--line"), width: 1 }, ticks: { show: false }, gap: 3 };
    /** @param {string} shown */
    const values = (shown) => (/** @type {any} */ _plot, /** @type {(number | null)[]} */ ticks) => ticks.map((tick) => (tick === null ? "" : written(tick, shown).replace(".0", "")));
    const left = this.#series.find(({ side }) => side === "y");
    const right = this.#series.find(({ side }) => side === "right");
    /** @param {Admin.Series} side */
    const colour = (side) => (right ? hue(this.#series.indexOf(side)) : axis.stroke); // shows which series an axis belongs to
    /** @param {Admin.Series | undefined} side */
    const steps = (side) => (["count", "rate"].includes(side?.shown ?? "count") ? { incrs: WHOLE } : {});
    /** @param {Admin.Series | undefined} axis */
    const floor = (axis) => ({ range: (/** @type {any} */ _plot, /** @type {number} */ _low, /** @type {number} */ high) => [0, Math.max(LEAST[axis?.shown ?? "count"], (high ?? 0) * 1.1)] });
    return {
      ...this.#size(),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
      padding: [6, right ? 0 : 20, 0, 0],
      scales: { x: { time: true }, y: floor(left), right: floor(right) },
      axes: [
        { ...axis, size: 20, space: 40, incrs: span === "5m" ? [60, 120] : undefined, values: (/** @type {any} */ _plot, /** @type {number[]} */ ticks) => ticks.map((tick) => moment(tick * 1000).slice(-8, -3)) },
        { ...axis, ...steps(left), stroke: left && colour(left), size: 48, space: 28, values: values(left?.shown ?? "count") },
        ...(right ? [{ ...axis, ...steps(right), stroke: colour(right), scale: "right", side: 1, size: 52, space: 28, grid: { show: false }, values: values(right.shown) }] : []),
      ],
      series: [
        {},
        ...order.map((at) => ({
          scale: this.#series[at].side,
          stroke: hue(at),
          width: 1.5,
          dash: stacked ? [] : DASHES[at],
          fill: stacked ? `color-mix(in srgb, ${hue(at)} 55%, ${style("--paper")})` : undefined,
          paths: bars ? /** @type {any} */ (UPlot).paths.bars({ size: [0.8, 12] }) : undefined,
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [(/** @type {any} */ plot) => this.#tell(plot.cursor.idx)], draw: [(/** @type {any} */ plot) => this.#drawMarks(plot)] },
    };
  }

  /** @param {any} given */
  #drawMarks({ ctx, bbox, scales, valToPos }) {
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = style("--accent");
    for (const { at } of this.#marks) {
      if (at / 1000 < scales.x.min || at / 1000 > scales.x.max) continue;
      const x = Math.round(valToPos.call(this.#plot, at / 1000, "x", true));
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - 4, bbox.top);
      ctx.lineTo(x + 4, bbox.top);
      ctx.lineTo(x, bbox.top + 6);
      ctx.fill();
    }
    ctx.restore();
  }

  /**
   * Writes the figures at a place, or the last ones, into the legend.
   * @param {number | null | undefined} at
   */
  #tell(at) {
    const columns = this.#columns();
    const { t } = this.#figures;
    const place = at ?? t.length - 1;
    this.#series.forEach(({ shown }, each) => put(this.#legend.children[each].querySelector("b"), written(columns[each][place] ?? null, shown)));
    const done = at === null || at === undefined ? [] : this.#done(place);
    put(this.#legend.lastElementChild, at === null || at === undefined ? "" : [moment(t[place]).slice(-8), ...done].join(" · "));
  }

  /**
   * What operators did between a row and the next.
   * @param {number} place
   */
  #done(place) {
    const { t } = this.#figures;
    const from = t[place];
    const until = t[place + 1] ?? Infinity;
    return this.#marks.filter((mark) => mark.at >= from && mark.at < until).map(({ text }) => text);
  }

  #tabulate() {
    if (!this.#table.open) return;
    const columns = this.#columns();
    const titles = this.#series.map(({ label }) => make("th", { scope: "col", className: "number" }, label));
    const head = make("tr", {}, make("th", { scope: "col" }, words.time), ...titles, make("th", { scope: "col" }, words.done));
    const body = make("tbody");
    const { t } = this.#figures;
    for (let place = t.length - 1; place >= Math.max(0, t.length - TABLED); place--) {
      const cells = this.#series.map(({ shown }, each) => make("td", { className: "number" }, written(columns[each][place] ?? null, shown)));
      body.append(make("tr", {}, make("td", {}, moment(t[place])), ...cells, make("td", {}, this.#done(place).join("; "))));
    }
    const table = make("table", { className: "rows" }, make("caption", { className: "aloud" }, this.#plan.title), make("thead", {}, head), body);
    const sheet = make("div", { className: "sheet-of-figures", tabIndex: 0, role: "region", aria: { label: words.tableOf(this.#plan.title) } }, table);
    const old = this.#table.querySelector("div");
    const place = old?.scrollTop ?? 0;
    if (old) old.replaceWith(sheet);
    else this.#table.append(sheet);
    sheet.scrollTop = place;
  }
}

const charts = PLOTS.map((plan) => new Chart(plan));
const SPANS = [...byId("charts").querySelectorAll("[data-span]")].map((button) => button.dataset.span);

let span = recall("localStorage", "span", (value) => SPANS.includes(value)) ?? "5m";
/** @type {Admin.Figures | null} */
let series = null;
/** @type {Server.Mark[]} */
let marks = [];
let asking = 0;

byId("plots").append(...charts.map(({ element }) => element));
byId("charts").querySelector(".spans").addEventListener("click", (event) => {
  if (!event.target.dataset.span) return;
  span = event.target.dataset.span;
  remember("localStorage", "span", span);
  series = null;
  press();
  pull();
});
document.addEventListener("theme", () => charts.forEach((chart) => series && chart.draw()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => series && chart.draw()));
press();

function press() {
  for (const button of byId("charts").querySelectorAll("[data-span]")) button.setAttribute("aria-pressed", String(button.dataset.span === span));
}

/**
 * Shows one chart over the whole width, or all side by side again.
 * @param {number} number
 */
export function enlarge(number) {
  const large = charts[number].element.classList.contains("large");
  charts.forEach((chart, at) => (chart.large = at === number && !large));
  charts[number].element.querySelector("button").focus();
  charts[number].element.scrollIntoView({ block: "nearest" });
}

/** Requests what is new, and shows it. */
export async function pull() {
  const asked = ++asking;
  const since = series?.t.at(-1);
  const answer = await ask(`/admin/api/series?span=${span}${since ? `&since=${since}` : ""}`);
  if (asked !== asking || answer.span !== span) return;
  const { step, marks: done } = answer;
  const fresh = { t: answer.t, ...answer.figures };
  const kept = /** @type {Record<string, number>} */ ({ "5m": 300, "1h": 360, "24h": 1440 });
  const length = series?.t.length ?? 0;
  const names = new Set([...Object.keys(series ?? {}), ...Object.keys(fresh)]);
  const joined = /** @type {Admin.Figures} */ ({});
  for (const name of names) {
    const before = series?.[name] ?? new Array(length).fill(0);
    const after = fresh[name] ?? new Array(fresh.t.length).fill(0);
    joined[name] = [...before, ...after].slice(-kept[span]);
  }
  series = joined;
  marks = since ? [...marks.filter(({ at }) => at <= since), ...done] : done;
  const first = series.t[0] ?? 0;
  marks = marks.filter(({ at }) => at >= first - step);
  for (const chart of charts) chart.show(series, marks);
}
