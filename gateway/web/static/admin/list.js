/**
 * Keeps a list (rooms, bans, audit, sessions) live: requests the page again and replaces what is marked `data-live`.
 *
 * Nothing is replaced while the pointer or the focus is in it.
 */

import "./admin.js";
import { page } from "./api.js";
import { localise } from "./format.js";
import { onKey } from "./keys.js";
import { Live } from "./polling.js";

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
