/** /ignore and /unignore, which the page runs itself. Loaded when one is typed. */

import { remember } from "../../shared/storage.js";
import { ignored, isIgnored } from "../preferences.js";
import { ignoring as words } from "./words.js";

/**
 * Hides what somebody says, or shows it again.
 * @param {import("../page.js").Page} page
 * @param {string} text  the command
 */
export function run(page, text) {
  const [verb, who = ""] = text.slice(1).trim().split(/\s+/);
  const nick = who.replace(/^@/, "");
  if (!nick) return page.room.log.note("error", words.usage(verb));
  if (verb.toLowerCase() === "ignore") ignored.add(nick.toLowerCase());
  else ignored.delete(nick.toLowerCase());
  remember("localStorage", "ignored", ignored.size && [...ignored]);
  for (const room of page.rooms) room.log.restyle();
  page.room.log.note("notice", words[isIgnored(nick) ? "hidden" : "shown"](nick));
}
