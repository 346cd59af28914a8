/** Reading rooms without a session, when banned, for example. Loaded when a session ended before a room had arrived. */

import { at } from "../../shared/address.js";

/**
 * Shows the latest messages of these rooms, as far as they may be read.
 * @param {import("../page.js").Page} page
 * @param {import("../rooms/room.js").Room[]} rooms
 */
export async function read(page, rooms) {
  if (page.wanted) page.iAm(page.wanted);
  for (const room of rooms) {
    try {
      const answer = await (await fetch(at(`/r/${room.name}/messages?limit=100`), { headers: { Accept: "application/json" } })).json();
      room.log.joined({ epoch: answer.epoch, head: answer.messages.at(-1)?.seq ?? 0 });
      room.log.history({ messages: answer.messages, more: false }, page.me);
    } catch {
      room.log.refused(); // the banner says why we were refused
    }
  }
}
