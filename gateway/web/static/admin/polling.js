/**
 * Keeps a page live: pulls, shows, waits, pulls again.
 *
 * There is one pull at a time; the next is planned when it has ended, so a slow server is not asked faster than it can
 * answer. A hidden page does not pull. When the server does not answer, the page says since when, and when it tries again;
 * when the session is over, a login dialog opens and the page stays as it is.
 */

import { moment } from "./format.js";
import { loggedOut } from "./login.js";
import { byId } from "../shared/dom.js";
import { health, page as words } from "./words.js";

const LONGEST_RETRY = 30_000;
const SLOWED = 5_000; // ms between pulls while the gateway is overloaded
const BAR_AFTER = 300;

export class Live {
  #pull;
  #every;
  #timer = 0;
  #ticking = 0;
  #pulling = false;
  #again = false;
  #failures = 0;
  /** @type {number | null} */
  #since = null;

  /**
   * @param {() => Promise<void>} pull  requests and shows
   * @param {() => number} every        ms between two pulls, 0 = only when asked to
   */
  constructor(pull, every) {
    this.#pull = pull;
    this.#every = every;
    byId("banner-button").addEventListener("click", () => this.now());
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.#timer) : this.now()));
    this.plan();
  }

  get failing() {
    return this.#since !== null;
  }

  plan(delay = this.#every()) {
    clearTimeout(this.#timer);
    if (delay && byId("health").dataset.health === "overloaded") delay = Math.max(delay, SLOWED);
    if (delay && !document.hidden) this.#timer = setTimeout(() => this.now(), delay);
  }

  /** Pulls at once. */
  async now() {
    this.#again = this.#pulling;
    if (this.#pulling) return;
    this.#pulling = true;
    clearTimeout(this.#timer);
    const slow = setTimeout(() => (byId("loading").hidden = false), BAR_AFTER);
    try {
      await this.#pull();
      this.#recovered();
      this.plan();
    } catch (error) {
      this.#failed(error);
    } finally {
      clearTimeout(slow);
      byId("loading").hidden = true;
      this.#pulling = false;
      if (this.#again) this.now();
    }
  }

  #recovered() {
    this.#failures = 0;
    this.#since = null;
    clearInterval(this.#ticking);
    byId("banner").hidden = true;
    document.body.classList.remove("stale");
    document.title = document.title.replace(words.stale, "");
  }

  /** @param {any} error */
  #failed(error) {
    const status = error.status ?? 0;
    if (status === 401) {
      document.body.classList.add("stale");
      loggedOut().then(() => this.now());
      return;
    }
    if (!status && !(error instanceof TypeError || error instanceof DOMException)) throw error;
    const delay = Math.min(LONGEST_RETRY, 2_000 * 2 ** this.#failures++);
    const until = Date.now() + delay;
    const since = (this.#since ??= Date.now());
    const tell = () => {
      const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000));
      byId("banner-text").textContent = words.notLive(moment(since), status && error.message, seconds);
    };
    clearInterval(this.#ticking);
    this.#ticking = setInterval(tell, 1_000);
    tell();
    byId("banner").hidden = false;
    document.body.classList.add("stale");
    byId("health").dataset.health = "unknown";
    byId("health").querySelector("b").textContent = health.unknown;
    document.title = words.stale + document.title.replace(words.stale, "");
    this.plan(delay);
  }
}
