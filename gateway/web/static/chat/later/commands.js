/** What the page does by itself when it is typed. Fetched with the first of them. */

import { remember } from "../../shared/storage.js";
import { ignored, isIgnored } from "../preferences.js";
import { restyle } from "./choosing.js";
import { ignoring, box as words } from "./words.js";

/**
 * Does it.
 * @param {import("../page.js").Page} page
 * @param {string} text  the command
 */
export function run(page, text) {
  const [verb, who = ""] = text.trim().slice(1).split(/\s+/);
  if (verb.endsWith("ignore")) ignore(page, verb, who.replace(/^@/, ""));
  else inSecret(page, text.trim());
}

/** Hides what somebody says, or shows it again. */
function ignore(page, verb, nick) {
  if (!nick) return page.composer.refused(`/${verb} `, ignoring.usage(verb));
  if (verb === "ignore") ignored.add(nick.toLowerCase());
  else ignored.delete(nick.toLowerCase());
  remember("localStorage", "ignored", ignored.size && [...ignored]);
  restyle(page);
  page.room.log.note("notice", ignoring[isIgnored(nick) ? "hidden" : "shown"](nick));
}

/** A password, or a code, is sent now or not at all. */
function inSecret(page, text) {
  page.secret = `secret-${Date.now()}`;
  const sent = page.send({ type: "say", id: page.secret, room: page.room.name, text });
  if (!sent) page.composer.answer(words.secret);
}
