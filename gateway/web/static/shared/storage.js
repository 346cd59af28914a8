/**
 * What this page keeps in the browser, each value as JSON under a prefix that no other page on this host uses; two
 * gateways below different paths have different prefixes.
 *
 * Whatever is read may have been written by anybody: another project on localhost, an older version, a person. So a value
 * is believed only if it `fits`; any other counts as absent. A browser that refuses storage keeps nothing.
 */

import { BASE } from "./address.js";

export const PREFIX = `chat-gateway${BASE}:`;

/** @typedef {"localStorage"|"sessionStorage"} Area  of this browser, or of this tab */

/**
 * Reads a value.
 * @param {Area} area
 * @param {string} name
 * @param {(value: any) => unknown} fits
 * @returns {any} null if there is none that fits
 */
export function recall(area, name, fits) {
  try {
    const value = JSON.parse(window[area].getItem(PREFIX + name) ?? "null");
    return fits(value) ? value : null;
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

// Tests to pass as `fits`.
/** @param {any} value */
export const isText = (value) => typeof value === "string" && value !== "";
/** @param {any} value */
export const isTexts = (value) => Array.isArray(value) && value.every((one) => typeof one === "string");
/** @param {any} value */
export const isYesOrNo = (value) => typeof value === "boolean";
/** @param {any} value */
export const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
