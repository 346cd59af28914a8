/** This tab's identity from one load of the page to the next: its token and its nick. */

import { isText, recall, remember } from "../shared/storage.js";

/** The form of a token. The server would end a session whose hello has anything else. */
const isToken = (value) => isText(value) && /^[\w.~+/=-]{1,512}$/.test(value);
const isNick = (value) => isText(value) && value.length <= 64 && !/\s/.test(value);
const isPair = (value) => isText(value) && isToken(value.split(" ")[0]) && value.split(" ").length <= 2;

/**
 * The token and the nick of this tab. A new tab takes those that the last closed tab left behind, because the server keeps
 * a nick for its token. Two open tabs never share a token: the second would replace the first.
 * @returns {{token: string | null, nick: string | null}}
 */
export function lastIdentity() {
  const token = recall("sessionStorage", "token", isToken);
  const [left, itsNick] = (recall("localStorage", "left", isPair) ?? "").split(" ");
  if (!token || token === left) remember("localStorage", "left", "");
  const nick = recall("sessionStorage", "nick", isNick) || (isNick(itsNick) && itsNick);
  return { token: token || left || null, nick: nick || recall("localStorage", "nick", isNick) };
}

export const keepToken = (token) => remember("sessionStorage", "token", token);

/** Keeps the nick for this tab, and as the first choice of the next one. */
export function keepNick(nick) {
  remember("localStorage", "nick", nick);
  remember("sessionStorage", "nick", nick);
}

/** The tab is closing: the next one may continue as this person. */
export function leaveBehind(token, nick) {
  if (token) remember("localStorage", "left", `${token} ${nick ?? ""}`.trim());
}
