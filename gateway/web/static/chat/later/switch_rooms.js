/** Going from room to room, and leaving one. Loaded with the shortcuts. */

/** @typedef {import("../rooms/room.js").Room} Room */

/**
 * Goes to the next or the previous room, among those that `among` accepts.
 * @param {import("../page.js").Page} page
 * @param {number} by
 */
export function step(page, by, among = (/** @type {Room} */ _room) => /** @type {unknown} */ (true)) {
  const all = [...page.rooms];
  const at = all.indexOf(page.room);
  const others = [...all.slice(at + 1), ...all.slice(0, at)].filter(among);
  if (others.length) page.go(others[by > 0 ? 0 : others.length - 1].name);
}

/**
 * Leaves a room, or closes a talk; never the last room.
 * @param {import("../page.js").Page} page
 * @param {Room} room
 */
export function leave(page, room) {
  if (!room.isTalk && [...page.rooms].filter(({ isTalk }) => !isTalk).length === 1) return;
  room.part();
  if (room === page.room) step(page, 1);
  page.rooms.remove(room);
}
