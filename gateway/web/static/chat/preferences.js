/** What the person has chosen: the settings, and whose words are not shown. Kept in this browser. */

import { isRecord, isTexts, recall, remember } from "../shared/storage.js";

/** The settings stand as data-* on <html>, where style sheets see them too; what is absent is the default. */
export const settings = document.documentElement.dataset;

/** What each setting may be besides the default. The theme is shared with the dashboard, and has a key of its own. */
const CHOICES = {
  size: ["small", "large", "huge"],
  clock: ["12"],
  joins: ["show", "hide"],
  enter: ["newline"],
  notify: ["on"],
  sound: ["on"],
};

for (const [name, value] of Object.entries(recall("localStorage", "settings", isRecord) ?? {})) {
  if (Object.hasOwn(CHOICES, name) && CHOICES[name].includes(value)) settings[name] = value;
}
const theme = recall("localStorage", "theme", (value) => value === "light" || value === "dark");
if (theme) settings.theme = theme;

/** Sets and keeps a setting; an empty value is the default. */
export function choose(name, value) {
  if (value) settings[name] = value;
  else delete settings[name];
  const chosen = Object.keys(CHOICES).filter((one) => settings[one]);
  remember("localStorage", "theme", settings.theme);
  remember("localStorage", "settings", chosen.length && Object.fromEntries(chosen.map((one) => [one, settings[one]])));
}

const clocks = {
  24: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }),
  12: new Intl.DateTimeFormat("en-US", { hour: "numeric", minute: "2-digit" }),
};
/** A moment as the person wants times written. */
export const clock = (ts) => clocks[settings.clock ?? 24].format(ts);

/** Those whose words are not shown, in lower case. */
export const ignored = new Set(recall("localStorage", "ignored", isTexts));
export const isIgnored = (nick) => ignored.has(nick.toLowerCase());
