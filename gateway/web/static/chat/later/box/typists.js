/** Who is typing, below the log. Loaded when somebody does for the first time. */

import "../sheet.js";
import { byId, make } from "../../../shared/dom.js";
import { isIgnored } from "../../preferences.js";
import { typists as words } from "../words.js";

/** Ms after which somebody who has not been heard of has stopped. Pages tell it every 3 s. */
const LASTS = 6_000;
const NAMES_SHOWN = 3;

/** Room -> nick -> the timer of its end.
 * @type {Map<import("../../rooms/room.js").Room, Map<string, number>>} */
const typing = new Map();
const line = make("p", { className: "typists", hidden: true });
/** @type {import("../../page.js").Page} */
let page;

/**
 * Somebody is typing in a room.
 * @param {import("../../page.js").Page} itsPage
 * @param {import("../../rooms/room.js").Room} room
 * @param {string} nick
 */
export function add(itsPage, nick, room) {
  if (isIgnored(nick)) return;
  if (!page) begin(itsPage);
  const here = typing.get(room) ?? new Map();
  typing.set(room, here);
  clearTimeout(here.get(nick));
  here.set(nick, setTimeout(() => stop(room, nick), LASTS));
  draw();
}

/** @param {Chat.Page} itsPage */
function begin(itsPage) {
  page = itsPage;
  byId("composer").prepend(line);
  new MutationObserver(spoken).observe(byId("live"), { childList: true, subtree: true });
}

/**
 * Rows were added: whoever has spoken has stopped typing. It may also be another room's log that is shown now.
 * @param {MutationRecord[]} changes
 */
function spoken(changes) {
  const { room } = page;
  for (const { addedNodes } of changes) for (const row of addedNodes) stop(room, room.log.rows.messageOf(/** @type {Element} */ (row))?.nick);
  draw();
}

/** @param {Chat.Room} room   @param {string} nick */
function stop(room, nick) {
  clearTimeout(typing.get(room)?.get(nick));
  if (typing.get(room)?.delete(nick)) draw();
}

function draw() {
  const nicks = [...(typing.get(page.room)?.keys() ?? [])];
  line.hidden = !nicks.length;
  line.textContent = nicks.length > NAMES_SHOWN ? words.several : words.some(nicks);
}
