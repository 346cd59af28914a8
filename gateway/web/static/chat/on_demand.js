/** The modules that the chat page loads on demand. */

/** @type {Record<string, () => Promise<any>>} */
const LATER = {
  commands: () => import("./later/commands.js"),
  copying: () => import("./later/lines/copying.js"),
  nick_field: () => import("./later/nick_field.js"),
  events: () => import("./later/events.js"),
  menu: () => import("./later/lines/menu.js"),
  permalink: () => import("./later/lines/permalink.js"),
  long_text: () => import("./later/long_text.js"),
  keylist: () => import("./later/dialogs/keylist.js"),
  notifications: () => import("./later/notifications.js"),
  palette: () => import("./later/dialogs/palette.js"),
  presence: () => import("./later/presence.js"),
  read_only: () => import("./later/read_only.js"),
  search: () => import("./later/dialogs/search.js"),
  private_talks: () => import("./later/private_talks.js"),
  settings: () => import("./later/dialogs/settings.js"),
  shortcuts: () => import("./later/shortcuts.js"),
  switch_rooms: () => import("./later/switch_rooms.js"),
  keyboard: () => import("./later/lines/keyboard.js"),
};

/** @type {Record<string, Promise<any>>} */
const parts = {}; // on the way or here

/**
 * Loads a module; null if that fails. Whoever waits for the same one goes on in the order of asking.
 * @param {string} part
 */
export async function load(part) {
  try {
    return await (parts[part] ??= LATER[part]());
  } catch {
    delete parts[part];
    return null;
  }
}
