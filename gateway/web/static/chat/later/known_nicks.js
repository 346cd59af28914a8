/** The people of the room on the page, for completion: those who are there, and those who spoke. */

/**
 * Their nicks, the latest speakers first, without our own.
 * @param {import("../page.js").Page} page
 */
export function nicks(page) {
  const { rows } = page.room.log;
  const spoke = [...rows.element.children].reverse().map((row) => rows.messageOf(row)?.nick);
  return [...new Set([...spoke, ...page.room.doors.keys()])].filter((nick) => nick && nick !== page.me);
}
