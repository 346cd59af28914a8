/** Changes settings, and applies them to the page. */

import { remember } from "../../shared/storage.js";
import { CHOICES, clock, isIgnored, keywords, settings } from "../preferences.js";

const MOST_KEYWORDS = 20;

/**
 * Sets and keeps a setting; an empty value is the default.
 * @param {Chat.Page} page
 * @param {string} name
 * @param {any} value
 */
export function choose(page, name, value) {
  if (value) settings[name] = value;
  else delete settings[name];
  const chosen = Object.keys(CHOICES).filter((one) => settings[one]);
  remember("localStorage", "theme", settings.theme);
  remember("localStorage", "settings", chosen.length && Object.fromEntries(chosen.map((one) => [one, settings[one]])));
  restyle(page);
}

/**
 * Sets and keeps the keywords, written with commas between them.
 * @param {string} text
 */
export function chooseKeywords(text) {
  const words = text.split(/[,\n]/).map((one) => one.trim()).filter(Boolean);
  keywords.splice(0, keywords.length, ...words.slice(0, MOST_KEYWORDS));
  remember("localStorage", "keywords", keywords.length && keywords);
}

/**
 * Writes all times again, and shows or hides the messages of ignored people.
 * @param {import("../page.js").Page} page
 */
export function restyle(page) {
  for (const { log } of page.rooms) {
    for (const row of log.rows.element.children) {
      for (const time of row.querySelectorAll("time")) time.textContent = clock(Date.parse(time.dateTime));
      row.classList.toggle("ignored", isIgnored(log.rows.messageOf(row)?.nick ?? ""));
    }
    log.keepView();
  }
}
