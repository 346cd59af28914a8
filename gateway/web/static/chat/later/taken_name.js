/** A name that was refused: why, and the next one that may be free. Loaded when that happens. */

import { byId } from "../../shared/dom.js";
import { name as words } from "./words.js";

/**
 * Asks for another name.
 * @param {import("../entry.js").Entry} entry
 */
export function tell(entry, nick, error) {
  const taken = error.code === "nick_taken" && !/^guest-/i.test(nick); // guests' names are the server's to give
  const free = taken && nextName(nick);
  entry.ask("", taken ? words.taken(nick) : error.text);
  byId("entry-hint").classList.add("bad");
  byId("nick").value = nick;
  const offer = byId("offer");
  offer.hidden = !free;
  offer.value = free || "";
  offer.textContent = words.take(free);
}

/** "ana" -> "ana2", "ana2" -> "ana3"; at most 32 characters. */
function nextName(nick) {
  const [, stem, number] = /^(.*?)(\d*)$/.exec(nick) ?? ["", nick, ""];
  const next = String(Number(number || 1) + 1);
  return [...stem].slice(0, 32 - next.length).join("") + next;
}
