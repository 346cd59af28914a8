/** The name field: asks for a nick, says why one was refused, offers the next. Loaded when it is wanted. */

import "./sheet.js";
import { byId, make } from "../../shared/dom.js";
import { isComposing } from "../composer.js";
import { name as words } from "./words.js";

const form = byId("entry");
const field = make("input", {
  id: "nick",
  name: "nick",
  placeholder: words.yours,
  maxLength: 32,
  autocomplete: "nickname",
  autocapitalize: "off",
  spellcheck: false,
  required: true,
  aria: { label: words.yours },
});
const take = make("button", { id: "take" });
const hint = make("p", { className: "hint", id: "entry-hint" });
hint.setAttribute("role", "status");
const offer = make("button", { type: "button", className: "quiet", id: "offer", hidden: true });
const cross = make("button", { type: "button", className: "quiet", id: "entry-close", aria: { label: words.close } }, "✕");
form.replaceChildren(field, take, hint, offer, cross);
/** @type {import("../page.js").Page} */
let page;

/**
 * Attaches the field to the page.
 * @param {Chat.Page} itsPage
 */
export function begin(itsPage) {
  if (page) return;
  page = itsPage;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    rename(field.value.trim());
  });
  field.addEventListener("keydown", (event) => event.key === "Enter" && isComposing(event) && event.preventDefault());
  offer.addEventListener("click", () => rename(offer.value));
  cross.addEventListener("click", () => {
    form.hidden = true;
    page.composer.focus();
  });
}

/**
 * Shows the field, also to change a name.
 * @param {boolean} focus
 */
export function ask(focus) {
  const isGuest = page.me.startsWith("guest");
  show(isGuest ? words.current(page.me) : "");
  if (!isGuest) field.value = page.me;
  if (focus) field.select();
}

/**
 * Says why a name was refused, and offers the next one that may be free.
 * @param {string} nick
 * @param {{id?: string, code: string, text: string}} error
 */
export function refused(nick, error) {
  const taken = error.code === "nick_taken" && !/^guest-/i.test(nick); // guests' names are the server's to give
  const free = taken && nextName(nick);
  show(taken ? error.text.replace(/, try \S+$/, ".") : error.text);
  hint.classList.add("bad");
  field.value = nick;
  offer.hidden = !free;
  offer.value = free || "";
  offer.textContent = words.take(free);
}

/** @param {string} text */
function show(text) {
  form.hidden = false;
  take.textContent = page.me.startsWith("guest") ? words.join : words.rename;
  hint.textContent = text;
  hint.classList.remove("bad");
  offer.hidden = true;
}

/** @param {string} nick */
function rename(nick) {
  if (!nick) return;
  page.wanted = nick;
  page.asked = `nick-${Date.now()}`;
  if (!page.send({ type: "nick", id: page.asked, nick })) page.asked = "";
}

/**
 * "ana" -> "ana2", "ana2" -> "ana3"; at most 32 characters.
 * @param {string} nick
 */
function nextName(nick) {
  const [, stem, number] = /^(.*?)(\d*)$/.exec(nick) ?? ["", nick, ""];
  const next = String(Number(number || 1) + 1);
  return [...stem].slice(0, 32 - next.length).join("") + next;
}
