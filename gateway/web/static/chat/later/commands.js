/** The commands that the page runs itself. Loaded with the first of them. */

import { remember } from "../../shared/storage.js";
import { SECRET } from "../composer.js";
import { ignored, isIgnored } from "../preferences.js";
import { restyle } from "./change_settings.js";
import { ignoring, box as own } from "./words.js";

/** A private message: the name, perhaps as one addresses people, and the text. */
const PRIVATE = /^\/(?:msg?|w)\s+@?([\p{L}\p{N}][^\s:,@]*)[:,]?\s+\S/iu;

/**
 * Runs a command.
 * @param {import("../page.js").Page} page
 * @param {string} typed  the command
 * @returns {Promise<void> | void} done when what is typed next is for the right room or talk
 */
export function run(page, typed) {
  const text = typed.trim();
  const [name, who = ""] = text.slice(1).split(/\s+/);
  const verb = name.toLowerCase();
  const words = text.slice(verb.length + 1).trim();
  if (SECRET.test(text)) inSecret(page, text);
  else if (verb.endsWith("ignore")) ignore(page, verb, who.replace(/^@/, ""));
  else if (verb === "reply") return reply(page, words);
  else if (verb === "search") return search(page, words);
  else return privately(page, text);
}

/**
 * Says something to one person, in their talk at once: what is typed next must not reach the room.
 * @param {Chat.Page} page
 * @param {string} text
 */
async function privately(page, text) {
  const [, nick] = PRIVATE.exec(text) ?? [];
  const talks = nick && nick !== page.me && (await page.fetch("private_talks"));
  if (talks === null) page.composer.edit(text);
  else (talks ? talks.open(page, nick) : page.room).outbox.add(text);
}

/**
 * Ignores somebody, or no longer.
 * @param {Chat.Page} page
 * @param {string} verb
 * @param {string} nick
 */
function ignore(page, verb, nick) {
  if (!nick) return page.composer.refused(`/${verb} `, own.usage(verb, "NICK"));
  if (verb === "ignore") ignored.add(nick.toLowerCase());
  else ignored.delete(nick.toLowerCase());
  remember("localStorage", "ignored", ignored.size && [...ignored]);
  restyle(page);
  page.room.log.note("notice", ignoring[isIgnored(nick) ? "hidden" : "shown"](nick));
}

/**
 * Replies to the last private message, in its talk.
 * @param {Chat.Page} page
 * @param {string} text
 */
async function reply(page, text) {
  const { lastWriter } = (await page.fetch("private_talks")) ?? {};
  const talk = lastWriter?.(page);
  if (!text || !talk) return page.composer.refused(`/reply ${text}`, text ? own.nobodyWrote : own.usage("reply", "TEXT"));
  page.go(talk.name);
  talk.outbox.add(text);
}

/**
 * Searches messages; without words it asks for them.
 * @param {Chat.Page} page
 * @param {string} text
 */
async function search(page, text) {
  (await page.fetch("search"))?.open(page, text);
}

/**
 * Sends a password or a code now or not at all.
 * @param {Chat.Page} page
 * @param {string} text
 */
function inSecret(page, text) {
  page.secret = `secret-${Date.now()}`;
  const sent = page.send({ type: "say", id: page.secret, room: page.rooms.home.name, text });
  if (!sent) page.composer.answer(own.secret);
}
