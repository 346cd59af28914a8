/**
 * Every word that the chat page's scripts show or say, by the noun it is about. What stands on the page from the start is
 * in templates/chat.html; what the parts fetched later say, in later/words.js.
 */

/** "until 20:51, spam" of the server is "until 20:51: spam". */
export const term = (text) => text.replace(/^(until [^,]*|for ever), /, "$1: ");
export const because = (reason) => (reason ? `: ${reason}` : "");

export const number = (n) => n.toLocaleString("en");

export const connection = {
  connecting: "connecting",
  connected: "connected",
  waiting: "offline",
  ended: "disconnected",
  opening: "Connecting… What you send is kept.",
  retry: "Try now",
  retrying: (why, seconds) => `${why}. Retrying in ${seconds} s. What you send is kept.`,
  offline: (reason) => `Offline${because(reason)}`,
  restarting: "The server is restarting",
  full: "The server is full",
  busy: (reason) => `Not now: ${reason}`,
  notLoaded: "This part cannot be loaded now. If it lasts, reload the page.",
};

/** How a session ended: what happened, and what the button offers. */
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
  label: (room) => `Message ${room}`,
  banned: "You are banned: this room can only be read.",
  long: (count) => `${number(count)} characters: folded in the log`,
  tooLong: (count) => `${number(count)} characters too long`,
};

export const line = {
  list: "Not sent yet",
  refused: (why) => `not sent: ${why}`,
  muted: (text) => `you are muted ${term(text)}`,
  unsure: "it is not known whether this arrived",
  unsent: "unsent",
  paced: (seconds) => `too fast: wait ${seconds} s`,
  sending: "sending…",
  sent: "sent",
  again: "send again",
  edit: "edit",
  drop: "drop",
};

export const message = {
  copy: "copy",
  removed: (reason) => `removed${reason === "removed" ? "" : `: ${reason}`}`,
  several: (count) => `${count} new messages`,
};

export const log = {
  renumbered: "The room has a new numbering since you were away. Below is what the server holds.",
  missing: (from, to) => `${from === to ? `message ${from} was` : `messages ${from}–${to} were`} not sent to you `,
  gone: "and no longer kept",
  load: "load",
  since: (time) => `new since ${time}`,
  up: (count) => `↑ ${count || ""} new`,
  newest: (count) => `↓ newest ${count || ""}`,
};

export const room = {
  title: (name, unread) => `${unread ? `(${unread}) ` : ""}${name} · gateway`,
  unread: " new",
  leave: (name) => `Leave ${name}`,
  offline: (name) => `You are offline: ${name} cannot be joined now.`,
};

export const people = {
  you: "you",
  here: (count) => `${number(count)} here`,
  doors: (web, terminal) => [web && `${web} web`, terminal && `${terminal} terminal`].filter(Boolean).join(", "),
  terminal: (door) => (door === "web" ? door : `terminal, ${door}`),
  quiet: "Nothing has been said here yet.",
  first: "You are the first here.",
  partial: "In big rooms the list is not kept up to date. /who shows it.",
};
