/**
 * The admin API: JSON in, JSON out.
 *
 * A request that the page makes without any touch since the last one is marked: it does not keep the session alive.
 */

import { at } from "../shared/address.js";
import { page as words } from "./words.js";

const PATIENCE = 10_000;
const TOUCHES = ["pointerdown", "keydown", "wheel", "submit"];

let touched = false; // since the last request

for (const touch of TOUCHES) addEventListener(touch, () => (touched = true), { capture: true, passive: true });

/** The headers that mark such a request. */
function mark() {
  /** @type {Record<string, string>} */
  const header = touched ? {} : { "X-Poll": "1" };
  touched = false;
  return header;
}

/** An error response; `error` is what its body says. */
export class Refusal extends Error {
  /** @param {number} status @param {{code?: string, text?: string}} error */
  constructor(status, error) {
    super(error.text ?? words.status(status));
    this.status = status;
    this.error = error;
  }
}

/**
 * Sends a request and returns its JSON; throws a Refusal, or a TypeError or AbortError if there was no answer at all.
 * @param {string} path
 * @param {RequestInit} options
 */
export async function ask(path, options = {}) {
  const headers = { ...mark(), ...options.headers };
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE);
  const answer = await fetch(at(path), { ...options, headers, signal: patience.signal });
  const json = await answer.json().catch(() => null);
  clearTimeout(timer);
  if (!answer.ok) throw new Refusal(answer.status, json?.error ?? {});
  return json;
}

const token = () => document.querySelector("meta[name=csrf-token]");

/**
 * Sends a change, with the session's CSRF token.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
export function order(method, path, body) {
  const headers = { "X-CSRF-Token": token().content, "Content-Type": "application/json" };
  return ask(path, { method, headers, body: JSON.stringify(body) });
}

/**
 * Takes over the CSRF token of a new session.
 * @param {string} csrf
 */
export function renew(csrf) {
  token().content = csrf;
  for (const field of document.querySelectorAll("input[name=csrf]")) field.value = csrf;
}

/**
 * A page of the dashboard as a document, parsed by the browser.
 * @param {string} path
 */
export function page(path) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", at(path));
    for (const [name, value] of Object.entries(mark())) request.setRequestHeader(name, value);
    request.responseType = "document";
    request.timeout = PATIENCE;
    request.onload = () => {
      const gone = request.responseURL.includes("/admin/login");
      if (gone) reject(new Refusal(401, {}));
      else if (request.status !== 200) reject(new Refusal(request.status, {}));
      else resolve(request.response);
    };
    request.onerror = request.ontimeout = () => reject(new TypeError(words.noAnswer));
    request.send();
  });
}
