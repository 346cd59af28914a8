/** The person of this browser: their token and their nick, which all tabs share. */

import { isText, recall, remember } from "../shared/storage.js";

/**
 * The form of a token. The server would end a session whose hello has anything else.
 * @param {any} value
 */
const isToken = (value) => isText(value) && /^[\w.~+/=-]{1,512}$/.test(value);
/** @param {any} value */
const isNick = (value) => isText(value) && value.length <= 64 && !/\s/.test(value);

/**
 * The last person of this browser: every tab is the same person, also one that is opened beside others.
 * @returns {{token: string | null, nick: string | null}}
 */
export const lastIdentity = () => ({
  token: recall("localStorage", "token", isToken),
  nick: recall("localStorage", "nick", isNick),
});

/** @param {string | null} token */
export const keepToken = (token) => remember("localStorage", "token", token);
/** @param {string} nick */
export const keepNick = (nick) => remember("localStorage", "nick", nick);
