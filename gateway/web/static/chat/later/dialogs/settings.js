/** The settings dialog: choices that this browser keeps, saving the log, forgetting everything. Loaded when it is opened. */

import { dialog } from "./dialog.js";
import { make } from "../../../shared/dom.js";
import { PREFIX } from "../../../shared/storage.js";
import { keywords, settings } from "../../preferences.js";
import { choose, chooseKeywords } from "../change_settings.js";
import { save } from "../lines/export.js";
import { settings as words } from "../words.js";

/**
 * Opens the dialog.
 * @param {import("../../page.js").Page} page
 */
export function open(page) {
  const shown = dialog(words.title);
  const fields = make("div", "fields");
  const told = make("p", "muted");
  told.setAttribute("role", "status");
  for (const choice of words.choices) fields.append(field(/** @type {any} */ (choice), page, told));
  const own = make("input", { name: "keywords", placeholder: words.keywordsHint, value: keywords.join(", "), maxLength: 300 });
  own.addEventListener("input", () => chooseKeywords(own.value));
  fields.append(make("label", "", words.keywords, own));
  const doings = make("p", "doings");
  doings.append(
    button(words.save, () => save(page.room)),
    button(words.forget, (pressed) => forget(pressed, page)),
  );
  shown.append(fields, told, doings);
  shown.showModal();
}

/** @param {[string, string, Record<string, string>]} given   @param {Chat.Page} page   @param {HTMLElement} told */
function field([name, title, choices], page, told) {
  const label = make("label", "", title);
  const select = make("select");
  select.name = name;
  for (const [value, says] of Object.entries(choices)) {
    select.add(new Option(says, value, false, value === (settings[name] ?? "")));
  }
  select.addEventListener("change", async () => {
    told.textContent = "";
    if (name === "notify" && select.value && !(await allowed())) {
      told.textContent = words.refused;
      select.value = "";
    }
    choose(page, name, select.value);
  });
  label.append(select);
  return label;
}

async function allowed() {
  return "Notification" in window && (await Notification.requestPermission()) === "granted";
}

/** @param {string} title   @param {(pressed: HTMLElement) => void} press */
function button(title, press) {
  const element = make("button", { type: "button", onclick: () => press(element) }, title);
  return element;
}

/** Removes everything that any page of the gateway has stored in this browser. */
function forgetAll() {
  for (const area of /** @type {import("../../../shared/storage.js").Area[]} */ (["localStorage", "sessionStorage"])) {
    try {
      for (const key of Object.keys(window[area])) if (key.startsWith(PREFIX)) window[area].removeItem(key);
    } catch {
      // Refused: nothing was stored.
    }
  }
}

/**
 * Forgets everything at the second press.
 * @param {HTMLElement} pressed
 * @param {Chat.Page} page
 */
function forget(pressed, page) {
  if (pressed.dataset.sure) {
    page.token = null;
    forgetAll();
    location.reload();
  }
  pressed.dataset.sure = "yes";
  pressed.textContent = words.sure;
}
