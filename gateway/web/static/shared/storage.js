/**
 * What this page keeps in the browser, each value as JSON under a prefix that no other page on this host uses; of two
 * gateways below different paths each has its own.
 *
 * Whatever is read may have been written by anybody: another project on localhost, an older version, a person. So a value
 * is believed only if it `fits`; any other counts as absent. A browser that refuses storage keeps nothing.
 */

import { BASE } from "./address.js";

export const PREFIX = `chat-gateway${BASE}:`;

/** @typedef {"localStorage"|"sessionStorage"} Area  of this browser, or of this tab */

/** What a stored text may mean: JSON or, in keys of versions before the prefix, plain text. */
function readings(text) {
  if (text === null) return [];
  try {
    return [JSON.parse(text), text];
  } catch {
    return [text];
  }
}

/**
 * Reads a value. One that an older version left under the bare name is moved, if it fits.
 * @param {Area} area
 * @param {string} name
 * @param {(value: any) => unknown} fits
 * @returns {any} null if there is none that fits
 */
export function recall(area, name, fits) {
  try {
    const store = window[area];
    const own = readings(store.getItem(PREFIX + name)).find(fits);
    if (own !== undefined) return own;
    const old = BASE ? undefined : readings(store.getItem(name)).find(fits);
    if (old === undefined) return null;
    remember(area, name, old);
    store.removeItem(name);
    return old;
  } catch {
    return null;
  }
}

/**
 * Stores a value, or removes it when there is none: empty, 0 or null.
 * @param {Area} area
 * @param {string} name
 * @param {any} value
 */
export function remember(area, name, value) {
  try {
    if (value || value === false) window[area].setItem(PREFIX + name, JSON.stringify(value));
    else window[area].removeItem(PREFIX + name);
  } catch {
    // Full or refused: the page works on without it.
  }
}

// What a value may have to be.
export const isText = (value) => typeof value === "string" && value !== "";
export const isTexts = (value) => Array.isArray(value) && value.every((one) => typeof one === "string");
export const isYesOrNo = (value) => typeof value === "boolean";
export const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
