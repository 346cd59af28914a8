/** All words of the modules that the chat page loads on demand, by the noun they are about. */

import { because, number, term } from "../words.js";

export const typists = {
  /** @param {string[]} nicks */
  some: (nicks) => `${nicks.join(", ")} ${nicks.length === 1 ? "is" : "are"} typing…`,
  several: "Several people are typing…",
};

export const copying = { done: "copied", again: "copy" };

export const exported = {
  /** @param {string} room   @param {number} count   @param {string} address */
  head: (room, count, address) => `-- ${room}, the last ${number(count)} lines${address && `; all of it: curl '${address}'`}`,
};

export const dialog = { close: "Close" };

export const keys = {
  title: "Keys",
  list: [
    ["Enter", "send"],
    ["Shift+Enter", "new line"],
    ["↑ in an empty box", "what you sent before"],
    ["Tab, @", "complete a name"],
    ["/", "commands"],
    ["PgUp, PgDn", "scroll the log"],
    ["Esc", "close; mark as read"],
    ["Ctrl+K", "rooms, people, commands, settings"],
    ["Alt+↑, Alt+↓", "previous / next room"],
    ["Alt+A", "the next room with something new"],
    ["F6, Shift+F6", "go round the parts of the page"],
    ["↑ ↓ Home End in the log", "go by message"],
    ["c, C in the log", "copy the link of a message, its words"],
    ["m, Enter in the log", "the menu of a message, a link in it"],
    ["Ctrl+/", "this list"],
  ],
};

export const palette = {
  title: "Go to",
  hint: "A room, a name, a command…",
  found: "Found",
  room: "room",
  join: "join",
  person: "person",
  command: "command",
  page: "page",
  /** @param {number} count */
  unread: (count) => `${number(count)} new`,
  privately: "write privately",
  search: "Find messages",
  mentions: "Mentions of you",
  /** @param {number} count   @param {string} topic */
  here: (count, topic) => `${number(count)} here${topic ? ` · ${topic}` : ""}`,
};

export const search = {
  /** @param {string} room */
  title: (room) => `Find in #${room}`,
  hint: "Words, from:ana, since:3d",
  day: "Or go to a day",
  everywhere: "In all rooms of this page",
  more: "more",
  nothing: "Nothing was found.",
  offline: "The server cannot be reached.",
};

export const paste = {
  /** @param {number} lines */
  question: (lines) => `Paste ${lines} lines?`,
  asCode: "as a code block",
  /** @param {number} lines */
  asLines: (lines) => `as ${lines} lines`,
  cancel: "cancel",
};

export const long = {
  /** @param {number} count */
  lines: (count) => (count === 1 ? "1 more line" : `${number(count)} more lines`),
  /** @param {number} count */
  bytes: (count) => `${number(count)} more bytes`,
  fold: "show less",
  alone: "by itself",
  gone: "not kept any more",
  command: "a command cannot be so long",
  lost: "the server could not be reached",
};

export const menu = {
  title: "What can be done with this message",
  quote: "Quote",
  copyText: "Copy text",
  copyLink: "Copy link",
  remove: "Remove…",
  question: "Remove this message for everybody?",
  why: "Reason, if there is one",
  sure: "Remove",
};

export const permalink = {
  /** @param {string} seq */
  otherEpoch: (seq) => `This link leads to message ${seq} of an earlier numbering of this room. It is not kept any more.`,
  /** @param {number} seq */
  notYet: (seq) => `There is no message ${seq} yet.`,
  /** @param {number} seq */
  gone: (seq) => `Message ${seq} is not kept any more.`,
};

export const files = {
  one: "One text file at a time can be put into the box.",
  /** @param {string} name   @param {number} most */
  tooLong: (name, most) => `${name} is too long: ${number(most)} bytes at most`,
  /** @param {string} name */
  notText: (name) => `${name} is not text, and only text can be sent`,
};

export const talk = {
  /** @param {string} nick */
  topic: (nick) => `Between you and ${nick}. It is gone when you close this tab of the browser.`,
  /** @param {string} verb */
  notHere: (verb) => `/${verb} is for rooms, and this is a private talk`,
};

export const presence = {
  /** @param {string} names   @param {number} rest */
  more: (names, rest) => `${names} and ${rest} more`,
  /** @param {string} names */
  joined: (names) => `${names} joined`,
  /** @param {string} names */
  left: (names) => `${names} left`,
  /** @param {string} from   @param {string} to */
  renamed: (from, to) => `${from} is now ${to}`,
};

export const box = {
  /** @param {string} verb   @param {string} what */
  usage: (verb, what) => `/${verb} ${what}`,
  nobodyWrote: "Nobody has written to you.",
  secret: "You are offline, and passwords are not kept: type it again when you are connected.",
};

export const version = { isNew: "There is a new version of this page. What you typed is kept.", reload: "Reload" };

export const standing = {
  announcement: "Announcement",
  close: "Close the announcement",
  /** @param {string | 0 | null | undefined} time   @param {string | undefined} reason */
  term: (time, reason) => `${time ? `until ${time}` : "for ever"}${because(reason)}`,
  /** @param {string} text */
  muted: (text) => `You are muted ${term(text)}. You can go on reading.`,
  /** @param {string} text */
  banned: (text) => `You are banned ${text}. You can go on reading.`,
};

export const name = {
  yours: "Your name",
  close: "Close the name field",
  join: "Join",
  rename: "Rename",
  /** @param {string} nick */
  current: (nick) => `or just write: you are ${nick}`,
  /** @param {string | false} nick */
  take: (nick) => `Take ${nick}`,
};

export const ignoring = {
  /** @param {string} nick */
  hidden: (nick) => `${nick} is not shown: /unignore ${nick}`,
  /** @param {string} nick */
  shown: (nick) => `${nick} is shown again`,
};

export const settings = {
  title: "Settings",
  /** Name in data-*, words, and the choices: value ("" is the default, which is not stored) and words. */
  choices: [
    ["theme", "Theme", { "": "system", light: "light", dark: "dark" }],
    ["size", "Text size", { small: "small", "": "normal", large: "large", huge: "very large" }],
    ["clock", "Times", { "": "14:05", 12: "2:05 PM" }],
    ["joins", "Joins and leaves", { "": "grouped", show: "line by line", hide: "not shown" }],
    ["enter", "Enter", { "": "sends", newline: "begins a new line, Ctrl+Enter sends" }],
    ["typing", "While you type", { "": "others see it", off: "others do not see it" }],
    ["notify", "Notifications", { "": "off", on: "of your name, keywords and private messages" }],
    ["sound", "Sound", { "": "off", on: "with notifications" }],
  ],
  keywords: "Keywords",
  keywordsHint: "deploy, incident",
  refused: "The browser does not allow this page to notify you: it can be changed beside the address.",
  save: "Save the log as text",
  forget: "Forget me on this device",
  sure: "Forget name, drafts and settings: press again",
};

/** The commands that the page runs itself: name, usage, words. */
export const commands = [
  ["ignore", "NICK", "show no more of somebody"],
  ["unignore", "NICK", "show somebody again"],
];
