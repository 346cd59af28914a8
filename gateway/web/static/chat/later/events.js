/**
 * The server's objects that are neither messages nor answers to them, one function for each type. Loaded a moment after
 * the page, or with the first of them; they are handled in their order.
 */

import "./sheet.js";
import { byId, make } from "../../shared/dom.js";
import { isTexts, recall, remember } from "../../shared/storage.js";
import { clock } from "../preferences.js";
import { body } from "../rooms/message.js";
import { tombstone } from "../rooms/row.js";
import { leave } from "./switch_rooms.js";
import { standing as words, version } from "./words.js";

/** @typedef {import("../page.js").Page} Page */

/** How the server begins an announcement. */
const ANNOUNCED = "[announcement] ";
const MOST_ANNOUNCED = 3; // above the log at once

/**
 * Offers to load the page again if the server has another version of it.
 * @param {string} served
 */
export function compareVersions(served) {
  if (served === document.body.dataset.version) return;
  const banner = byId("banner");
  banner.hidden = false;
  banner.dataset.state = "offer";
  byId("banner-text").textContent = version.isNew;
  byId("banner-button").textContent = version.reload;
  byId("banner-button").onclick = () => location.reload();
}

/**
 * Our standing (role, mute, ban), at the beginning and when it changes.
 * @param {Chat.Page} page
 * @param {Server.Standing} given
 */
export function standing(page, { role = null, muted, muted_until, banned, banned_until, reason }) {
  page.role = role;
  const until = muted ? muted_until : banned_until;
  const term = words.term(until && clock(until), reason);
  if (banned) page.composer.close(words.banned(term));
  else if (muted) page.composer.closeFor(words.muted(term), until ? until - Date.now() : Infinity);
  else page.composer.open();
}

/**
 * A message was removed: removes its text here too.
 * @param {Chat.Page} _page
 * @param {Server.Redacted} given
 * @param {Chat.Room} room
 */
export function redacted(_page, { epoch, seq, reason }, room) {
  const { rows } = room.log;
  const row = epoch === room.log.epoch && rows.get(seq);
  if (!row) return;
  Object.assign(rows.messageOf(row), { text: "", redacted: reason });
  rows.view.keep(() => {
    row.querySelector(".text").replaceWith(tombstone(reason));
  });
}

/**
 * The same person has read up to there on another connection.
 * @param {Chat.Page} _page
 * @param {Server.Read} given
 * @param {Chat.Room} room
 */
export function read(_page, { epoch, seq }, room) {
  if (epoch === room.log.epoch) room.read(seq);
}

/**
 * Somebody else is typing.
 * @param {Chat.Page} page
 * @param {Server.Typing} given
 * @param {Chat.Room} room
 */
export async function typing(page, { nick }, room) {
  (await import("./box/typists.js")).add(page, nick, room);
}

/** @param {Chat.Page} page   @param {Server.Notice} given   @param {Chat.Room} room */
export function notice(page, { id, text, topic, nick }, room) {
  if (topic !== undefined) room.topic = topic;
  if (nick !== undefined) page.iAm(nick);
  if (text.startsWith(ANNOUNCED)) announce(room, text.slice(ANNOUNCED.length));
  else if (id === undefined) room.log.note("notice", text);
  else if (id !== page.asked) page.room.log.note("notice", text); // in the room or talk where it was asked
  if (id !== undefined) page.answered(id);
  page.changed(room);
}

/** The announcements that are not closed, the oldest first; this tab keeps them. */
const announced = recall("sessionStorage", "announced", isTexts) ?? [];
for (const text of announced.splice(0)) post(text);

/**
 * An announcement: it stays above the log until it is closed, and in the log.
 * @param {Chat.Room} room
 * @param {string} text
 */
function announce(room, text) {
  room.log.note("announcement", text);
  post(text);
}

/** @param {string} text */
function post(text) {
  const strip = make("section", { className: "announced", aria: { label: words.announcement } });
  const close = make("button", { type: "button", className: "quiet", aria: { label: words.close } }, "✕");
  close.addEventListener("click", () => {
    strip.remove();
    announced.splice(announced.indexOf(text), 1);
    keep();
  });
  strip.append(body(text), close);
  if (announced.push(text) > MOST_ANNOUNCED) {
    announced.shift();
    document.querySelector(".announced")?.remove();
  }
  byId("scroller").before(strip);
  keep();
}

function keep() {
  remember("sessionStorage", "announced", announced.length && announced);
}

/**
 * @param {Chat.Page} page
 * @param {{id?: string, code: string, text: string, retry_ms?: number}} told
 * @param {Chat.Room} room
 */
export async function error(page, told, room) {
  if (told.code === "token_invalid") return; // we are somebody new, and have asked for our old nick
  if (told.code === "muted") page.composer.closeFor(words.muted(told.text), told.retry_ms);
  const closed = told.id && [...page.rooms].find((each) => each.asked === told.id);
  if (closed) {
    leave(page, closed); // its join was refused
    page.room.log.note("error", `${closed.name}: ${told.text}`);
    return;
  }
  if (told.id === undefined) for (const each of page.rooms) each.log.refused();
  if (told.id && told.id === page.secret) return page.composer.answer(told.text);
  const aboutNick = told.code === "nick_taken" || told.code === "nick_invalid";
  if (aboutNick && (told.id === undefined || told.id === page.asked)) {
    const wanted = page.wanted ?? "";
    page.wanted = page.me.startsWith("guest") ? null : page.me;
    const entry = await page.fetch("nick_field");
    entry?.begin(page);
    entry?.refused(wanted, told);
  } else if (told.id === undefined || ![...page.rooms].some((each) => each.outbox.refused(told))) {
    room.log.note("error", `${told.code}: ${told.text}`);
  }
}

/** The type `private`, a reserved word, under another name. */
export { privately as private };

/** @param {Chat.Page} page   @param {Server.Private} whisper */
async function privately(page, whisper) {
  (await page.fetch("private_talks"))?.take(page, whisper);
}
