/**
 * What a screen reader reads of the log: messages of others as they arrive; not one's own, no joins, nothing loaded later.
 * Of more than five within two seconds it reads only the number.
 */

import { byId } from "../../shared/dom.js";
import { message } from "../words.js";

const BURST = 5; // messages in BURST_TIME that are still read aloud one by one
const BURST_TIME = 2_000;

const live = byId("live");
let burst = 0;

/** What changes now is not read. */
export function quiet() {
  live.setAttribute("aria-live", "off");
  setTimeout(() => live.setAttribute("aria-live", "polite"), 100);
}

/** Counts a message that is about to be read. */
export function countAloud() {
  burst += 1;
  if (burst === 1) setTimeout(burstOver, BURST_TIME);
  if (burst > BURST) live.setAttribute("aria-live", "off");
}

function burstOver() {
  if (burst > BURST) byId("said").textContent = message.several(burst);
  live.setAttribute("aria-live", "polite");
  burst = 0;
}
