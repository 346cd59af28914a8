/** What a message is drawn of: its author, door, text and time. */

import { make } from "../../shared/dom.js";
import { clock } from "../preferences.js";
import { message as words } from "../words.js";

const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });

/** A nick in its hue: one of ten, by FNV-1a of the lowercased name. */
export function nickOf(nick) {
  let hash = 0x811c9dc5;
  for (const character of nick.toLowerCase()) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  const element = make("bdi", "nick", nick);
  element.dataset.hue = (hash >>> 0) % 10;
  return element;
}

/** The mark of a door: its glyph is drawn by the style sheet, its word is for reading aloud. */
export function doorOf(door, word = door) {
  const element = make("span", "door");
  element.dataset.door = door;
  element.title = word;
  element.append(make("span", "aloud", ` (${word})`));
  return element;
}

const FENCE = /```(?:[\w+#-]*\n)?([\s\S]+?)\n?```\n?/;
const SPECIAL = /(`[^`\n]+`)|((?:https?:\/\/|mailto:)[^\s<>"`]+)/i;
const SAFE = new Set(["http:", "https:", "mailto:"]);
/** Marks upon marks on one letter: they stay in their own row. */
const PILED = /\p{M}{3}/u;

/** The text of a message: code blocks, code, links; all else as it stands, with `me` in bold. */
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

function codeBlock(code) {
  const block = make("div", "code");
  const copy = make("button", "quiet", words.copy);
  copy.type = "button";
  copy.dataset.copy = "";
  const pre = make("pre");
  pre.tabIndex = 0; // it may be wider than the page: the keyboard must be able to scroll it
  pre.append(make("code", "", code));
  block.append(pre, copy);
  return block;
}

let ownName = { me: "", pattern: / /giu };
/** Where the nick `me` stands in a text as a word. The letter before it is looked at here: older browsers cannot look back. */
function mentionsOf(text, me) {
  if (ownName.me !== me) {
    const letters = me.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    ownName = { me, pattern: new RegExp(`${letters}(?![\\p{L}\\p{N}])`, "giu") };
  }
  return [...text.matchAll(ownName.pattern)].filter(({ index }) => !/[\p{L}\p{N}]$/u.test(text.slice(Math.max(0, index - 2), index)));
}

/** Whether a text speaks of `me`. */
export const mentions = (text, me) => mentionsOf(text, me).length > 0;

/** A text with `me` in bold. */
function addressed(text, me) {
  const parts = [];
  let from = 0;
  for (const { 0: name, index } of mentionsOf(text, me)) {
    parts.push(text.slice(from, index), make("b", "", name));
    from = index + name.length;
  }
  return [...parts, text.slice(from)];
}

function prose(element, text, me) {
  // split() gives plain text, code or undefined, link or undefined, plain text, …
  text.split(SPECIAL).forEach((part, at) => {
    if (!part) return;
    if (at % 3 === 1) element.append(make("code", "", part.slice(1, -1)));
    else if (at % 3 === 2) element.append(...link(part));
    else element.append(...(me ? addressed(part, me) : [part]));
  });
}

/** The address in a text, or null. `URL.canParse` came late to phones. */
function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/**
 * A link and what follows it; the text as it stands where it is no address, or hides its host behind a user name. Where
 * it leads is added when the text does not show it: letters of other scripts, numbers written oddly.
 */
function link(found) {
  let end = found.length;
  while (/[.,;:!?'*]/.test(found[end - 1]) || (found[end - 1] === ")" && !found.slice(0, end).includes("("))) end -= 1;
  const text = found.slice(0, end);
  const url = parsed(text);
  if (!url || !SAFE.has(url.protocol) || url.username || url.password) return [found];
  const anchor = make("a", "", text);
  anchor.href = url.href;
  anchor.rel = "noopener noreferrer";
  anchor.target = "_blank";
  const shown = text.toLowerCase().includes(`//${url.host}`) || url.protocol === "mailto:";
  return [anchor, ...(shown ? [] : [make("span", "host", ` [${url.host}]`)]), found.slice(end)];
}

/** A time as the person wants it; the whole moment is its title. */
export function timeOf(ts) {
  const date = new Date(ts);
  const element = make("time", "", clock(date));
  element.dateTime = date.toISOString();
  element.title = moment.format(date);
  return element;
}
