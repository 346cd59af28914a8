/** Whom one may mean: those who are in the room on the page, or spoke there. */

/**
 * Their nicks, the latest speakers first, without our own.
 * @param {import("../page.js").Page} page
 */
export function nicks(page) {
  const { rows } = page.room.log;
  const spoke = [...rows.element.children].reverse().map((row) => rows.messageOf(row)?.nick);
  return [...new Set([...spoke, ...page.room.doors.keys()])].filter((nick) => nick && nick !== page.me);
}
