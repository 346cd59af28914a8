/**
 * All words of the dashboard's scripts, by the noun they are about. What stands on the pages from the start
 * is in templates/; the words of events, causes and refusals come from the server.
 */

import { written } from "./format.js";

const count = (n) => written(n, "count");
/** “1 connection”, “3 connections”. */
const connections = (n) => `${count(n)} connection${n === 1 ? "" : "s"}`;
const joined = (...parts) => parts.filter(Boolean).join(" · ");
const whichOf = (q) => (q ? `‘${q}’` : "everybody");

export const page = {
  copied: "copied",
  notLoaded: "This part of the page could not be loaded. Reload the page if the gateway was updated.",
  noAnswer: "no answer",
  status: (status) => `status ${status}`,
  stale: "(not live) ",
  notLive: (since, why, seconds) => `Not live since ${since}${why ? ` (${why})` : ""}, retry in ${seconds} s`,
};

export const health = {
  maintenance: "MAINTENANCE",
  unknown: "?",
  said: (word, why) => `Health: ${word}${why ? `: ${why}` : ""}`,
  title: (connected, word) => joined(word, `${count(connected)} connected`, "gateway"),
  near: "near the limit",
  at: "at the limit",
  node: (connections, health, off) => `${connections} · ${health}${off ? ` · clock ${off} off` : ""}`,
  silent: "no answer",
  listener: { ready: "ready", paused: "paused", draining: "draining", closed: "closed", maintained: "closed to newcomers" },
};

export const table = {
  actOnAll: (total, filtered) => `Act on all ${count(total)}${filtered ? " matching" : ""} …`,
  matching: (total, of) => `${count(total)} of ${count(of)}`,
  total: (total, state) => `${count(total)} ${state === "any" ? "open or closed" : state}`,
  lasted: "Lasted",
  up: "Up",
  reset: "Reset",
  select: (nick) => `Select ${nick}`,
  details: (nick) => `Details of ${nick}`,
  expired: "That moment is no longer kept; this is now.",
  frozen: (moment, age) => `Frozen at ${moment}, ${age} ago. The figures above stay live.`,
};

export const filter = {
  without: (word) => `without ${word}`,
  unknown: (name) => `unknown field “${name}”`,
  meant: (near) => (near ? `did you mean ${near}?` : "see Filter help for those there are"),
  sign: (name, sign) => `${name} does not go with ${sign}`,
  value: "the value is missing",
  write: (example) => `write ${example}`,
  wrong: (why, right) => `: ${why}; ${right}`,
};

export const event = {
  /** What happened to a connection, and more about it; as in templates/_panels.html. */
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
  label: (title) => `Chart: ${title}`,
  asTable: "Show as table",
  tableOf: (title) => `${title} as a table`,
  time: "time",
  done: "done",
};

export const drawer = {
  lag: "lag",
  in: "in/s",
  out: "out/s",
  peak: (most) => `peak ${most}`,
  gone: "no longer known",
  closed: (reason, words) => `closed: ${reason} ${words}`,
  noRooms: "none",
  place: (cursor, head, state) => ` at ${cursor} of ${head} · ${state}`,
  unread: "not reading yet",
  behind: (messages, bytes) => `${messages} behind, ${bytes}`,
  upToDate: "up to date",
  watch: "Watch",
  stopWatching: "Stop watching",
  watching: (until) => `watching until ${until}; the audit log says so`,
  dropped: (lines) => `${lines} not shown`,
  ended: (reason) => `ended: ${reason}`,
  unwatchable: "cannot watch: somebody does already, or it is gone",
};

/** What is done to connections: the word on the button, and what it has done to them. */
export const order = {
  kick: { label: "Kick", done: "kicked" },
  ban: { label: "Ban", done: "banned" },
  mute: { label: "Mute", done: "muted" },
  message: { label: "Send", done: "messaged" },
  question: (label, whom) => `${label} ${whom}?`,
  messageTo: (whom) => `Message to ${whom}`,
  whom: (nicks) => (nicks.length === 1 ? nicks[0] : connections(nicks.length)),
  type: (number) => `Type ${number} to confirm.`,
  nothing: "There is nothing to send.",
  stop: "Stop",
  cancel: "Cancel",
  doubt: (why) => `${why}.`,
  did: (nick, done) => `${nick} is ${done}`,
  wasGone: (nick) => `${nick} was gone already`,
  refused: (why) => `Refused: ${why}`,
  /** Of several: how many were done, were gone, were refused and why, were left out, were not reached. */
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
  question: (matching, q) => `${connections(matching)} match ${whichOf(q)}. People who join later are not affected; operators are left out.`,
  progress: "Progress",
  running: (action, q, done, total, rate, operator) => `${action} ${whichOf(q)}: ${done} of ${total}, ${rate} per second, by ${operator}`,
};

export const announcement = {
  empty: "…",
  terminal: (lines) => lines.map((line, at) => (at ? `-- ${line}` : `-- [announcement] ${line}`)).join("\n"),
  web: (lines) => `[announcement] ${lines.join("\n")}`,
  done: (reached) => `Announced to ${connections(reached)}`,
};

const doors = (door) => door || "all doors";

export const drain = {
  sure: (door) => `Drain ${doors(door)}: sure?`,
  begun: (door) => `Draining ${doors(door)}`,
  over: "The drain is over",
  bar: (door) => `${door} drained`,
  progress: (sent, total, left) => ` ${sent} of ${total} sent away, ${left} here`,
};

export const maintenance = {
  sure: "Refuse all newcomers: sure?",
  begin: "Refuse newcomers",
  end: "Let newcomers in again",
  on: (since, text) => `Since ${since} newcomers read: ${text}`,
  off: "Newcomers are let in.",
  begun: "Newcomers are refused",
  ended: "Newcomers are let in",
};

export const log = {
  changed: (level) => `Log level: ${level}`,
  default: (level) => `${level} (default)`,
  until: (level, until, usual) => `${level} until ${until}, then ${usual} again`,
};

export const login = { notYet: "You are not logged in yet." };
