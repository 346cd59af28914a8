/**
 * All words of the dashboard's scripts, by the noun they are about. What stands on the pages from the start
 * is in templates/; the words of events, causes and refusals come from the server.
 */

import { written } from "./format.js";

/** @param {number} n */
const count = (n) => written(n, "count");
/**
 * “1 connection”, “3 connections”.
 * @param {number} n
 */
const connections = (n) => `${count(n)} connection${n === 1 ? "" : "s"}`;
/** @param {(string | number | false | null | undefined)[]} parts */
const joined = (...parts) => parts.filter(Boolean).join(" · ");
/** @param {string} q */
const whichOf = (q) => (q ? `‘${q}’` : "everybody");

export const page = {
  copied: "copied",
  notLoaded: "This part of the page could not be loaded. Reload the page if the gateway was updated.",
  noAnswer: "no answer",
  /** @param {number} status */
  status: (status) => `status ${status}`,
  stale: "(not live) ",
  /** @param {string} since   @param {string | number | false} why   @param {number} seconds */
  notLive: (since, why, seconds) => `Not live since ${since}${why ? ` (${why})` : ""}, retry in ${seconds} s`,
};

export const health = {
  maintenance: "MAINTENANCE",
  unknown: "?",
  /** @param {string} word   @param {string} why */
  said: (word, why) => `Health: ${word}${why ? `: ${why}` : ""}`,
  /** @param {number} connected   @param {string} word */
  title: (connected, word) => joined(word, `${count(connected)} connected`, "gateway"),
  near: "near the limit",
  at: "at the limit",
  /** @param {string} connections   @param {string} health   @param {string} off */
  node: (connections, health, off) => `${connections} · ${health}${off ? ` · clock ${off} off` : ""}`,
  silent: "no answer",
  /** @type {Record<string, string>} */
  listener: { ready: "ready", paused: "paused", draining: "draining", closed: "closed", maintained: "closed to newcomers" },
};

export const table = {
  /** @param {number} total   @param {string} filtered */
  actOnAll: (total, filtered) => `Act on all ${count(total)}${filtered ? " matching" : ""} …`,
  /** @param {number} total   @param {number} of */
  matching: (total, of) => `${count(total)} of ${count(of)}`,
  /** @param {number} total   @param {string} state */
  total: (total, state) => `${count(total)} ${state === "any" ? "open or closed" : state}`,
  lasted: "Lasted",
  up: "Up",
  reset: "Reset",
  /** @param {string} nick */
  select: (nick) => `Select ${nick}`,
  /** @param {string} nick */
  details: (nick) => `Details of ${nick}`,
  expired: "That moment is no longer kept; this is now.",
  /** @param {string} moment   @param {string} age */
  frozen: (moment, age) => `Frozen at ${moment}, ${age} ago. The figures above stay live.`,
};

export const filter = {
  /** @param {string} word */
  without: (word) => `without ${word}`,
  /** @param {string} name */
  unknown: (name) => `unknown field “${name}”`,
  /** @param {string | undefined} near */
  meant: (near) => (near ? `did you mean ${near}?` : "see Filter help for those there are"),
  /** @param {string} name   @param {string} sign */
  sign: (name, sign) => `${name} does not go with ${sign}`,
  value: "the value is missing",
  /** @param {string} example */
  write: (example) => `write ${example}`,
  /** @param {string} why   @param {string} right */
  wrong: (why, right) => `: ${why}; ${right}`,
};

export const event = {
  /**
   * What happened to a connection, and more about it; as in templates/_panels.html.
   * @param {string} event
   * @param {string} detail
   */
  happened: (event, detail) => {
    if (event === "came") return ["connected", detail];
    if (event === "gone") return detail === "left" ? ["left", ""] : ["closed", detail];
    return [event, detail];
  },
  pause: "Pause",
  resume: "Resume",
  none: "Nothing has happened yet.",
  unmatched: "No event matches.",
};

export const chart = {
  connections: "Connections",
  messages: "Messages a second",
  bytes: "Bytes a second",
  lag: "Reader lag and loop lag",
  closes: "Closes by reason",
  in: "in",
  out: "out",
  fanOut: "fan-out",
  lagMedian: "lag p50",
  lagWorst: "lag p99",
  loop: "loop",
  /** @param {string} title */
  label: (title) => `Chart: ${title}`,
  asTable: "Show as table",
  /** @param {string} title */
  tableOf: (title) => `${title} as a table`,
  time: "time",
  done: "done",
};

export const drawer = {
  lag: "lag",
  in: "in/s",
  out: "out/s",
  /** @param {string} most */
  peak: (most) => `peak ${most}`,
  gone: "no longer known",
  /** @param {string | undefined} reason   @param {string | undefined} words */
  closed: (reason, words) => `closed: ${reason} ${words}`,
  noRooms: "none",
  /** @param {number} cursor   @param {number} head   @param {string} state */
  place: (cursor, head, state) => ` at ${cursor} of ${head} · ${state}`,
  unread: "not reading yet",
  /** @param {number} messages   @param {string} bytes */
  behind: (messages, bytes) => `${messages} behind, ${bytes}`,
  upToDate: "up to date",
  watch: "Watch",
  stopWatching: "Stop watching",
  /** @param {string} until */
  watching: (until) => `watching until ${until}; the audit log says so`,
  /** @param {number} lines */
  dropped: (lines) => `${lines} not shown`,
  /** @param {string} reason */
  ended: (reason) => `ended: ${reason}`,
  unwatchable: "cannot watch: somebody does already, or it is gone",
};

/** What is done to connections: the word on the button, and what it has done to them. */
export const order = {
  kick: { label: "Kick", done: "kicked" },
  ban: { label: "Ban", done: "banned" },
  mute: { label: "Mute", done: "muted" },
  message: { label: "Send", done: "messaged" },
  /** @param {string} label   @param {string} whom */
  question: (label, whom) => `${label} ${whom}?`,
  /** @param {string} whom */
  messageTo: (whom) => `Message to ${whom}`,
  /** @param {string[]} nicks */
  whom: (nicks) => (nicks.length === 1 ? nicks[0] : connections(nicks.length)),
  /** @param {number} number */
  type: (number) => `Type ${number} to confirm.`,
  nothing: "There is nothing to send.",
  stop: "Stop",
  cancel: "Cancel",
  /** @param {string} why */
  doubt: (why) => `${why}.`,
  /** @param {string} nick   @param {string} done */
  did: (nick, done) => `${nick} is ${done}`,
  /** @param {string} nick */
  wasGone: (nick) => `${nick} was gone already`,
  /** @param {string | null} why */
  refused: (why) => `Refused: ${why}`,
  /**
   * Of several: how many were done, were gone, were refused and why, were left out, were not reached.
   * @param {{by?: string, done: number, past: string, gone: number, refused: number, why?: string | null, spared?: number, left: number, problem?: string | null}} given
   */
  told: ({ by = "", done, past, gone, refused, why = "", spared = 0, left, problem = "" }) =>
    joined(
      by,
      `${done} ${past}`,
      gone && `${gone} gone already`,
      refused && `${refused} refused${why && `: ${why}`}`,
      spared && `${spared} operators left out`,
      left && `stopped before the other ${left}`,
      problem,
    ),
};

export const campaign = {
  /** @param {number} matching   @param {string} q */
  question: (matching, q) => `${connections(matching)} match ${whichOf(q)}. People who join later are not affected; operators are left out.`,
  progress: "Progress",
  /**
   * @param {string} action
   * @param {string} q
   * @param {number} done
   * @param {number} total
   * @param {number} rate
   * @param {string} operator
   */
  running: (action, q, done, total, rate, operator) => `${action} ${whichOf(q)}: ${done} of ${total}, ${rate} per second, by ${operator}`,
};

export const announcement = {
  empty: "…",
  /** @param {string[]} lines */
  terminal: (lines) => lines.map((line, at) => (at ? `-- ${line}` : `-- [announcement] ${line}`)).join("\n"),
  /** @param {string[]} lines */
  web: (lines) => `[announcement] ${lines.join("\n")}`,
  /** @param {number} reached */
  done: (reached) => `Announced to ${connections(reached)}`,
};

/** @param {string} door */
const doors = (door) => door || "all doors";

export const drain = {
  /** @param {string} door */
  sure: (door) => `Drain ${doors(door)}: sure?`,
  /** @param {string} door */
  begun: (door) => `Draining ${doors(door)}`,
  over: "The drain is over",
  /** @param {string} door */
  bar: (door) => `${door} drained`,
  /** @param {number} sent   @param {number} total   @param {number} left */
  progress: (sent, total, left) => ` ${sent} of ${total} sent away, ${left} here`,
};

export const maintenance = {
  sure: "Refuse all newcomers: sure?",
  begin: "Refuse newcomers",
  end: "Let newcomers in again",
  /** @param {string} since   @param {string} text */
  on: (since, text) => `Since ${since} newcomers read: ${text}`,
  off: "Newcomers are let in.",
  begun: "Newcomers are refused",
  ended: "Newcomers are let in",
};

export const log = {
  /** @param {string} level */
  changed: (level) => `Log level: ${level}`,
  /** @param {string} level */
  default: (level) => `${level} (default)`,
  /** @param {string} level   @param {string} until   @param {string} usual */
  until: (level, until, usual) => `${level} until ${until}, then ${usual} again`,
};

export const login = { notYet: "You are not logged in yet." };
