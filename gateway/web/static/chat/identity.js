/** Who this tab is, between two loads of the page: its token and its nick. */

import { isText, recall, remember } from "../shared/storage.js";

/** What the server takes as a token; anything else would end the session at its first word. */
const isToken = (value) => isText(value) && /^[\w.~+/=-]{1,512}$/.test(value);
const isNick = (value) => isText(value) && value.length <= 64 && !/\s/.test(value);
const isPair = (value) => isText(value) && isToken(value.split(" ")[0]) && value.split(" ").length <= 2;

/**
 * The token and the nick of this tab; of a new tab those that the last one left behind when it was closed, for the server
 * keeps a nick for its token. Two open tabs never share a token: the later would replace the earlier.
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

/** The nick is the tab's, and the first choice of the next one. */
export function keepNick(nick) {
  remember("localStorage", "nick", nick);
  remember("sessionStorage", "nick", nick);
}

/** The tab is closed: the next one may go on as this person. */
export function leaveBehind(token, nick) {
  if (token) remember("localStorage", "left", `${token} ${nick ?? ""}`.trim());
}
