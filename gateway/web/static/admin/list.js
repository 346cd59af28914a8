/**
 * Keeps a list (rooms, bans, audit, sessions) live: gets the page again and swaps what is marked `data-live`.
 *
 * Nothing is swapped while the pointer or the focus is in it, or while a form is being filled.
 */

import "./admin.js";
import { page } from "./api.js";
import { localise } from "./format.js";
import { onKey } from "./keys.js";
import { Live } from "./live.js";

const EVERY = 5_000;

async function pull() {
  const fresh = await page(location.href);
  localise(fresh);
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
    if (now && !old.matches(":hover, :focus-within") && old.textContent !== now.textContent) {
      old.replaceChildren(...now.childNodes);
    }
  }
}

const live = new Live(pull, () => EVERY);
onKey("r", () => live.now());
