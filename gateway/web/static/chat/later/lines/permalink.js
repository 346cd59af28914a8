/** Links to messages: following and making them. Loaded with the first. */

import { addressOf } from "../../rooms/tabs.js";
import { permalink as words } from "../words.js";

/** "#512", or with the epoch that its number belongs to: "#512-iS4cNQ2xkb". */
const PLACE = /^#(\d{1,15})(?:-([\w-]{8,32}))?$/;

/**
 * The address of a message with its epoch, so that it never leads to another one.
 * @param {Chat.Room} room
 * @param {number} seq
 */
export const linkTo = (room, seq) => `${location.origin}${addressOf(room.name)}#${seq}-${room.log.epoch}`;

let followed = "";

/**
 * Goes to the message that the address names, if any; once, unless `again`.
 * @param {import("../../page.js").Page} page
 * @param {boolean} again
 */
export async function follow(page, again) {
  if (location.href === followed && !again) return;
  followed = location.href;
  const [, seq, epoch] = PLACE.exec(location.hash) ?? [];
  const { log } = page.room;
  if (!seq) return;
  if (epoch && epoch !== log.epoch) log.note("error", words.otherEpoch(seq));
  else await goTo(page, Number(seq));
}

/**
 * Shows a message and marks it; loads around it if it is not here.
 * @param {Chat.Page} page
 * @param {number} seq
 */
export async function goTo(page, seq) {
  const { log } = page.room;
  if (!log.rows.has(seq) && seq <= log.head) await log.around(seq);
  for (const marked of document.querySelectorAll("#log > .target")) marked.classList.remove("target");
  const row = log.rows.get(seq);
  if (!row) return log.note("error", seq > log.head ? words.notYet(seq) : words.gone(seq));
  log.rows.view.following = false;
  row.classList.add("target");
  row.tabIndex = -1;
  row.scrollIntoView({ block: "center" });
  row.focus({ preventScroll: true });
}
