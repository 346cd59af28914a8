/**
 * The filter box. A word that cannot be right is underlined with the reason, and no request is sent; a word that only the
 * server can find wrong is shown in the same way.
 */

import { at } from "../../shared/address.js";
import { byId, make } from "../../shared/dom.js";
import { filter as words } from "../words.js";

const WORD = /(?:[^\s"]|"(?:\\.|[^"\\])*"?)+/g;
const NAMED = /^-?([a-z][a-z_]*)(:|>=|<=|>|<)(.*)$/s;
const TYPED = 350; // ms after the last key

/**
 * The words of a filter: where each begins, and its text.
 * @param {string} text
 */
const split = (text) => [...text.matchAll(WORD)].map((match) => ({ at: match.index ?? 0, word: match[0] }));

/**
 * The name that differs from `wrong` by the fewest letters, at most two; or undefined.
 * @param {string} wrong
 * @param {string[]} names
 */
function nearest(wrong, names) {
  const ranked = names.map((name) => ({ name, apart: distance(wrong, name) })).sort((one, other) => one.apart - other.apart);
  return ranked.find(({ apart }) => apart <= 2)?.name;
}

/**
 * The edit distance: letters added, removed, changed or swapped with the next.
 * @param {string} one
 * @param {string} other
 */
function distance(one, other) {
  const rows = [[...Array(other.length + 1).keys()]];
  for (let i = 1; i <= one.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (same ? 0 : 1), swapped ? rows[i - 2][j - 2] + 1 : Infinity);
    }
  }
  return rows[one.length][other.length];
}

export class Filter {
  #box = byId("q");
  #under = byId("under");
  #problem = byId("q-problem");
  #examples = new Map();
  #onWords;
  #timer = 0;

  /** @param {(q: string) => void} onWords  called with a filter that may be right */
  constructor(onWords) {
    this.#onWords = onWords;
    for (const button of byId("words").querySelectorAll("button")) {
      this.#examples.set(button.dataset.word, button.textContent);
      button.addEventListener("click", () => this.#add(button.textContent));
    }
    this.#box.addEventListener("input", () => {
      this.#clear();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#submit(), TYPED);
    });
    this.#box.addEventListener("scroll", () => (this.#under.scrollLeft = this.#box.scrollLeft));
    byId("filter").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId("chosen").addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link) return;
      event.preventDefault();
      this.show(new URL(link.href).searchParams.get("q") ?? "");
      this.#submit();
      this.#box.focus();
    });
  }

  /** Whether the words in the box are wrong. */
  get wrong() {
    return this.#box.getAttribute("aria-invalid") === "true";
  }

  /** @param {string} q */
  show(q) {
    if (this.#box.value.trim() !== q) this.#box.value = q;
    this.#clear();
  }

  /** Shows each word with an x, for when nothing matches. */
  offer() {
    const q = this.#box.value;
    byId("chosen").replaceChildren(
      ...split(q).map(({ at: start, word }) => {
        const rest = (q.slice(0, start) + q.slice(start + word.length)).trim().replace(/\s+/g, " ");
        const href = at(`/admin?q=${encodeURIComponent(rest)}`);
        return make("li", {}, make("a", { href, aria: { label: words.without(word) } }, make("code", {}, word), " ✕"));
      }),
    );
  }

  /** @param {{word: string, at: number, length: number, why: string, right: string}} problem */
  refuse({ word, at, length, why, right }) {
    this.#box.setAttribute("aria-invalid", "true");
    this.#problem.replaceChildren(make("u", {}, word), words.wrong(why, right));
    const text = this.#box.value;
    const bad = make("u", {}, text.slice(at, at + length));
    this.#under.replaceChildren(text.slice(0, at), bad, text.slice(at + length));
    this.#under.scrollLeft = this.#box.scrollLeft;
  }

  #clear() {
    this.#box.removeAttribute("aria-invalid");
    this.#under.replaceChildren();
    this.#problem.replaceChildren();
  }

  #submit() {
    clearTimeout(this.#timer);
    this.#clear();
    const problem = this.#check(this.#box.value);
    if (problem) this.refuse(problem);
    else this.#onWords(this.#box.value.trim());
  }

  /**
   * What is wrong with a name, a sign or a missing value.
   * @param {string} text
   */
  #check(text) {
    for (const { at, word } of split(text)) {
      const [, name, sign = "", value] = NAMED.exec(word) ?? [];
      if (!name) continue;
      /** @param {string} why   @param {string} right */
      const wrong = (why, right) => ({ word, at, length: word.length, why, right });
      const example = this.#examples.get(name);
      if (!example) return wrong(words.unknown(name), words.meant(nearest(name, [...this.#examples.keys()])));
      if ((sign === ":") !== example.includes(":")) return wrong(words.sign(name, sign), words.write(example));
      if (!value) return wrong(words.value, words.write(example));
    }
    return null;
  }

  /** @param {string} example */
  #add(example) {
    this.#box.value = `${this.#box.value.trim()} ${example}`.trim();
    byId("filter").querySelector("details").open = false;
    this.#box.focus();
    this.#submit();
  }
}
