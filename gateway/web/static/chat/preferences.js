/** The person's choices, kept in this browser: the settings, and whom to ignore. */

import { isRecord, isTexts, recall } from "../shared/storage.js";

/** The settings are data-* attributes of <html>, so that style sheets see them too; an absent one has its default. */
export const settings = document.documentElement.dataset;

/**
 * The values of each setting besides its default. The theme is shared with the dashboard, and has a key of its own.
 * @type {Record<string, string[]>}
 */
export const CHOICES = {
  size: ["small", "large", "huge"],
  clock: ["12"],
  joins: ["show", "hide"],
  enter: ["newline"],
  typing: ["off"],
  notify: ["on"],
  sound: ["on"],
};

for (const [name, value] of Object.entries(recall("localStorage", "settings", isRecord) ?? {})) {
  if (Object.hasOwn(CHOICES, name) && CHOICES[name].includes(value)) settings[name] = value;
}
const theme = recall("localStorage", "theme", (value) => value === "light" || value === "dark");
if (theme) settings.theme = theme;

/** @type {Record<string, Intl.DateTimeFormat>} */
const clocks = {
  24: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }),
  12: new Intl.DateTimeFormat("en-US", { hour: "numeric", minute: "2-digit" }),
};
/**
 * A time of day in the person's format.
 * @param {number | Date} ts
 */
export const clock = (ts) => clocks[settings.clock ?? 24].format(ts);

/** Words besides one's own name that are marked and notified of. */
export const keywords = recall("localStorage", "keywords", isTexts) ?? [];

/** The ignored nicks, in lower case. */
export const ignored = new Set(recall("localStorage", "ignored", isTexts));
/** @param {string} nick */
export const isIgnored = (nick) => ignored.has(nick.toLowerCase());
