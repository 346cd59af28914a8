/** The commands that the page runs itself. Loaded with the first of them. */

import { remember } from "../../shared/storage.js";
import { ignored, isIgnored } from "../preferences.js";
import { restyle } from "./choosing.js";
import { ignoring, box as own } from "./words.js";

/**
 * Runs a command.
 * @param {import("../page.js").Page} page
 * @param {string} text  the command
 */
export function run(page, text) {
  const [verb, who = ""] = text.trim().slice(1).split(/\s+/);
  const words = text.trim().slice(verb.length + 1).trim();
  if (verb.endsWith("ignore")) ignore(page, verb, who.replace(/^@/, ""));
  else if (verb === "reply") reply(page, words);
  else if (verb === "search") search(page, words);
  else inSecret(page, text.trim());
}

/** Ignores somebody, or no longer. */
function ignore(page, verb, nick) {
  if (!nick) return page.composer.refused(`/${verb} `, own.usage(verb, "NICK"));
  if (verb === "ignore") ignored.add(nick.toLowerCase());
  else ignored.delete(nick.toLowerCase());
  remember("localStorage", "ignored", ignored.size && [...ignored]);
  restyle(page);
  page.room.log.note("notice", ignoring[isIgnored(nick) ? "hidden" : "shown"](nick));
}

/** Replies to the last private message, in its talk. */
async function reply(page, text) {
  const { lastWriter } = (await page.fetch("talks")) ?? {};
  const talk = lastWriter?.(page);
  if (!text || !talk) return page.composer.refused(`/reply ${text}`, text ? own.nobodyWrote : own.usage("reply", "TEXT"));
  page.go(talk.name);
  talk.outbox.add(text);
}

/** Searches messages; without words it asks for them. */
async function search(page, text) {
  (await page.fetch("search"))?.open(page, text);
}

/** Sends a password or a code now or not at all. */
function inSecret(page, text) {
  page.secret = `secret-${Date.now()}`;
  const sent = page.send({ type: "say", id: page.secret, room: page.rooms.home.name, text });
  if (!sent) page.composer.answer(own.secret);
}
