/**
 * Every word that the chat page's scripts show or say, by the noun it is about. What stands on the page from the start is
 * in templates/chat.html; what the parts fetched later say, in later/words.js.
 */

/**
 * "until 20:51, spam" of the server is "until 20:51: spam".
 * @param {string} text
 */
export const term = (text) => text.replace(/^(until [^,]*|for ever), /, "$1: ");
/** @param {string | undefined | false} reason */
export const because = (reason) => (reason ? `: ${reason}` : "");

/** @param {number} n */
export const number = (n) => n.toLocaleString("en");

export const connection = {
  connecting: "connecting",
  connected: "connected",
  waiting: "offline",
  ended: "disconnected",
  opening: "Connecting… What you send is kept.",
  retry: "Try now",
  /** @param {string} why   @param {number} seconds */
  retrying: (why, seconds) => `${why}. Retrying in ${seconds} s. What you send is kept.`,
  /** @param {string | false} reason */
  offline: (reason) => `Offline${because(reason)}`,
  restarting: "The server is restarting",
  full: "The server is full",
  /** @param {string} reason */
  busy: (reason) => `Not now: ${reason}`,
  notLoaded: "This part cannot be loaded now. If it lasts, reload the page.",
};

/**
 * How a session ended: what happened, and what the button offers.
 * @type {Record<string | number, (reason: string) => string[]>}
 */
export const ending = {
  1000: () => ["You have left.", "Come back"],
  4500: (reason) => [`You were kicked${because(reason)}.`, "Rejoin"],
  4501: (reason) => [`You are banned${reason && ` ${term(reason)}`}.`, "Try again"],
  4503: (reason) => [`You have no right to be here${because(reason)}.`, "Try again"],
  4504: () => ["Too many connections come from your address.", "Try again"],
  4505: () => ["You are connected in another tab.", "Use here"],
  other: (reason) => [`The server ended the session${because(reason)}.`, "Try again"],
};

export const box = {
  /** @param {string} room */
  label: (room) => `Message ${room}`,
  banned: "You are banned: this room can only be read.",
  /** @param {number} count */
  long: (count) => `${number(count)} characters: folded in the log`,
  /** @param {number} count */
  tooLong: (count) => `${number(count)} characters too long`,
};

export const line = {
  list: "Not sent yet",
  /** @param {string | undefined} why */
  refused: (why) => `not sent: ${why}`,
  /** @param {string} text */
  muted: (text) => `you are muted ${term(text)}`,
  unsure: "it is not known whether this arrived",
  unsent: "unsent",
  /** @param {number} seconds */
  paced: (seconds) => `too fast: wait ${seconds} s`,
  sending: "sending…",
  sent: "sent",
  again: "send again",
  edit: "edit",
  drop: "drop",
};

export const message = {
  copy: "copy",
  /** @param {string} reason */
  removed: (reason) => `removed${reason === "removed" ? "" : `: ${reason}`}`,
  /** @param {number} count */
  several: (count) => `${count} new messages`,
};

export const log = {
  renumbered: "The room has a new numbering since you were away. Below is what the server holds.",
  /** @param {number} from   @param {number} to */
  missing: (from, to) => `${from === to ? `message ${from} was` : `messages ${from}–${to} were`} not sent to you `,
  gone: "and no longer kept",
  load: "load",
  /** @param {string} time */
  since: (time) => `new since ${time}`,
  /** @param {number} count */
  up: (count) => `↑ ${count || ""} new`,
  /** @param {number} count */
  newest: (count) => `↓ newest ${count || ""}`,
};

export const room = {
  /** @param {string} name   @param {number} unread */
  title: (name, unread) => `${unread ? `(${unread}) ` : ""}${name} · gateway`,
  unread: " new",
  /** @param {string} name */
  leave: (name) => `Leave ${name}`,
  /** @param {string} name */
  offline: (name) => `You are offline: ${name} cannot be joined now.`,
};

export const people = {
  you: "you",
  /** @param {number} count */
  here: (count) => `${number(count)} here`,
  /** @param {number} web   @param {number} terminal */
  doors: (web, terminal) => [web && `${web} web`, terminal && `${terminal} terminal`].filter(Boolean).join(", "),
  /** @param {string} door */
  terminal: (door) => (door === "web" ? door : `terminal, ${door}`),
  quiet: "Nothing has been said here yet.",
  first: "You are the first here.",
  partial: "In big rooms the list is not kept up to date. /who shows it.",
};
