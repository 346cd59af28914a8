/** The parts of a message as elements: author, door, text and time. */

import { make } from "../../shared/dom.js";
import { clock, keywords } from "../preferences.js";
import { message as words } from "../words.js";

const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });

/**
 * The mark of a door: the style sheet draws its glyph, screen readers read its word.
 * @param {string} door
 */
export function doorOf(door, word = door) {
  return make("span", { className: "door", data: { door }, title: word }, make("span", "aloud", ` (${word})`));
}

const FENCE = /```(?:[\w+#-]*\n)?([\s\S]+?)\n?```\n?/;
/** Code, or a link. A link ends before punctuation of Chinese and Japanese. */
const SPECIAL = /(`[^`\n]+`)|((?:https?:\/\/|mailto:)[^\s<>"`\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+)/i;
/** @type {Record<string, string>} */
const PAIRS = { ")": "(", "]": "[", "}": "{" };
const SAFE = new Set(["http:", "https:", "mailto:"]);
/** Several combining marks on one letter: they must not run over other rows. */
const PILED = /\p{M}{3}/u;

/**
 * The text of a message with code blocks, code and links, and `me` in bold; all else stays as it is.
 * @param {string} text
 */
export function body(text, me = "") {
  const element = make("div", "text");
  element.dir = "auto";
  element.classList.toggle("piled", PILED.test(text));
  text.split(FENCE).forEach((part, at) => {
    if (at % 2) element.append(codeBlock(part));
    else prose(element, at ? part : part.replace(/\n$/, ""), me);
  });
  return element;
}

/** @param {string} code */
function codeBlock(code) {
  const copy = make("button", { type: "button", className: "quiet", data: { copy: "" } }, words.copy);
  // It may be wider than the page: the keyboard must be able to scroll it.
  return make("div", "code", make("pre", { tabIndex: 0 }, make("code", "", code)), copy);
}

let own = { names: "", pattern: / /giu };
/** Scripts without blanks between words: next to them a name may be anywhere. */
const UNSPACED = "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}]";
const LETTER = `(?!${UNSPACED})[\\p{L}\\p{N}]`;
const [unspaced, afterLetter] = [new RegExp(UNSPACED, "u"), new RegExp(`${LETTER}$`, "u")];

/**
 * Where the nick `me`, or a keyword, is a word of the text. Older browsers have no lookbehind, so the letter before is
 * tested here.
 * @param {string} text
 * @param {string} me
 */
function mentionsOf(text, me) {
  const names = [me, ...keywords].join("\n");
  if (own.names !== names) {
    const letters = names.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").split("\n");
    const patterns = letters.map((one) => (unspaced.test(one) ? one : `${one}(?!${LETTER})`));
    own = { names, pattern: new RegExp(patterns.join("|"), "giu") };
  }
  return [...text.matchAll(own.pattern)].filter(
    ({ 0: found, index = 0 }) => unspaced.test(found) || !afterLetter.test(text.slice(Math.max(0, index - 2), index)),
  );
}

/**
 * Whether a text mentions `me`, or has a keyword.
 * @param {string} text
 * @param {string} me
 */
export const mentions = (text, me) => mentionsOf(text, me).length > 0;

/**
 * A text with `me` in bold.
 * @param {string} text
 * @param {string} me
 */
function addressed(text, me) {
  const parts = [];
  let from = 0;
  for (const { 0: name, index = 0 } of mentionsOf(text, me)) {
    parts.push(text.slice(from, index), make("b", "", name));
    from = index + name.length;
  }
  return [...parts, text.slice(from)];
}

/**
 * Text with links and code.
 * @param {Element} element
 * @param {string} text
 */
export function prose(element, text, me = "") {
  // split() gives plain text, code or undefined, link or undefined, plain text, …
  text.split(SPECIAL).forEach((part, at) => {
    if (!part) return;
    if (at % 3 === 1) element.append(make("code", "", part.slice(1, -1)));
    else if (at % 3 === 2) element.append(...link(part));
    else element.append(...(me ? addressed(part, me) : [part]));
  });
}

/**
 * The address in a text, or null. `URL.canParse` came late to phones.
 * @param {string} text
 */
function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/**
 * A link and the text after it; only the text, if it is not an address or hides its host behind a user name. The real
 * host is added where the text does not show it: letters of other scripts, numbers in unusual forms.
 * @param {string} found
 */
function link(found) {
  let text = found;
  /** @param {string} one */
  const count = (one) => text.split(one).length;
  while (/[.,;:!?'*»”’]$/.test(text) || count(/** @type {any} */ (text.at(-1))) > count(PAIRS[/** @type {any} */ (text.at(-1))] ?? text.at(-1))) text = text.slice(0, -1);
  const url = parsed(text);
  if (!url || !SAFE.has(url.protocol) || url.username || url.password) return [found];
  const anchor = make("a", { href: url.href, rel: "noopener noreferrer", target: "_blank" }, text);
  const shown = text.toLowerCase().includes(`//${url.host}`) || url.protocol === "mailto:";
  return [anchor, ...(shown ? [] : [make("span", "host", ` [${url.host}]`)]), found.slice(text.length)];
}

/**
 * A time in the person's format; its title is the date and time in full.
 * @param {number} ts
 */
export function timeOf(ts) {
  const date = new Date(ts);
  return make("time", { dateTime: date.toISOString(), title: moment.format(date) }, clock(date));
}
