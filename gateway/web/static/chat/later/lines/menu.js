/**
 * The menu of a message, opened by a button on the row under the pointer or with the focus. Loaded when the pointer or the
 * focus first comes to the log.
 */

import "../sheet.js";
import { byId, make } from "../../../shared/dom.js";
import { menu as words } from "../words.js";
import { copyText } from "./copying.js";
import { linkTo } from "./permalink.js";
import { wordsOf } from "./plain_text.js";

/** Ms within which an author may take a message back. */
const TAKEN_BACK_WITHIN = 600_000;
const QUOTED_LINES = 3;

const button = make("button", { type: "button", className: "quiet more", title: words.title }, "⋯");
button.setAttribute("aria-label", words.title);
button.setAttribute("aria-haspopup", "menu");
const list = make("div", { className: "menu", hidden: true });
list.setAttribute("role", "menu");

/** The row whose menu is open, or would be.
 * @type {any} */
let row = null;
/** @type {import("../../page.js").Page} */
let page;

/** @param {import("../../page.js").Page} itsPage */
export function begin(itsPage) {
  if (page) return;
  page = itsPage;
  const scroller = byId("scroller");
  /** @param {{target: any}} given */
  const attend = ({ target }) => show(target.closest?.("#log > .msg[data-seq]"));
  scroller.addEventListener("pointerover", attend);
  scroller.addEventListener("focusin", attend);
  button.addEventListener("click", () => (list.hidden ? open() : close()));
  list.addEventListener("keydown", pressed);
  document.addEventListener("pointerdown", (/** @type {any} */ { target }) => list.contains(target) || target === button || close());
  attend({ target: scroller.querySelector(".msg:hover") ?? document.activeElement }); // what this file was loaded for
}

/**
 * Opens the menu of a row from the keyboard.
 * @param {Element | null} itsRow
 */
export function openAt(itsRow) {
  show(itsRow);
  open();
}

/** @param {Element | null} itsRow */
function show(itsRow) {
  if (!itsRow || itsRow === row || !list.hidden) return;
  row = itsRow;
  row.append(button);
}

function open() {
  list.replaceChildren(...items());
  row.append(list);
  list.hidden = false;
  const below = list.getBoundingClientRect().bottom - byId("scroller").getBoundingClientRect().bottom;
  list.classList.toggle("up", below > 0);
  list.firstElementChild.focus();
}

function close(back = false) {
  if (list.hidden) return;
  list.hidden = true;
  if (back) (row.tabIndex === -1 ? row : button).focus();
}

function items() {
  const message = page.room.log.rows.messageOf(row);
  const mayRemove = ["operator", "admin"].includes(page.role ?? "");
  const isOwn = page.room.log.isOwn(message.seq) && Date.now() - message.ts < TAKEN_BACK_WITHIN;
  /** @type {["quote" | "copyText" | "copyLink" | "remove", () => unknown][]} */
  const found = [
    ["quote", () => page.composer.quote(quoted(message))],
    ["copyText", () => copyText(wordsOf(row), row)],
    ["copyLink", () => copyText(linkTo(page.room, message.seq), row)],
  ];
  if (message.redacted !== undefined) found.splice(0, 2);
  else if (isOwn || mayRemove) found.push(["remove", () => askToRemove(message, isOwn)]);
  return found.map(([name, run]) => {
    const item = make("button", { type: "button", className: "quiet", onclick: () => choose(name, run) }, words[name]);
    item.setAttribute("role", "menuitem");
    item.tabIndex = -1;
    return item;
  });
}

/** @param {string} name   @param {() => unknown} run */
function choose(name, run) {
  if (name !== "remove") close(name !== "quote");
  run();
}

/**
 * A quotation, `> ana: …`, which reads well at a terminal too.
 * @param {{nick: string, text: string}} given
 */
function quoted({ nick, text }) {
  const lines = text.split("\n");
  const shown = lines.slice(0, QUOTED_LINES).map((one, at) => `> ${at ? "" : `${nick}: `}${one}`);
  return [...shown, ...(lines.length > QUOTED_LINES ? ["> …"] : []), ""].join("\n");
}

/**
 * Asks before a message is removed for everybody; an operator may give a reason.
 * @param {{seq: number}} given
 * @param {boolean} isOwn
 */
function askToRemove({ seq }, isOwn) {
  const form = make("form", "removal");
  const why = make("input", { placeholder: words.why, maxLength: 200, ariaLabel: words.why, hidden: isOwn });
  const sure = make("button", { type: "submit", className: "danger" }, words.sure);
  form.append(make("p", "", words.question), why, sure);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    close(true);
    const reason = why.value.trim();
    page.room.outbox.add(isOwn ? `/delete ${seq}` : `/redact ${seq} ${reason}`.trim());
  });
  list.replaceChildren(form);
  (isOwn ? sure : why).focus();
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const all = [...list.querySelectorAll("[role=menuitem]")];
  const at = all.indexOf(document.activeElement);
  const goal = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  event.stopPropagation();
  if (event.key === "Escape" || event.key === "Tab") close(true);
  else if (goal !== undefined && all.length) all[(goal + all.length) % all.length].focus();
  else return;
  event.preventDefault();
}
