/**
 * The admin API: JSON in, JSON out.
 *
 * What the page asks although nobody has touched it since the last time is marked: it keeps no session alive.
 */

import { at } from "../shared/address.js";
import { page as words } from "./words.js";

const PATIENCE = 10_000;
const TOUCHES = ["pointerdown", "keydown", "wheel", "submit"];

let touched = false; // since something was asked last

for (const touch of TOUCHES) addEventListener(touch, () => (touched = true), { capture: true, passive: true });

/** The headers that tell so. */
function mark() {
  const header = touched ? {} : { "X-Poll": "1" };
  touched = false;
  return header;
}

/** An answer that is not the one we asked for; `error` is the answer's own. */
export class Refusal extends Error {
  /** @param {number} status @param {{code?: string, text?: string}} error */
  constructor(status, error) {
    super(error.text ?? words.status(status));
    this.status = status;
    this.error = error;
  }
}

/** Asks; throws a Refusal, or a TypeError or AbortError when there was no answer at all. */
export async function ask(path, /** @type {RequestInit} */ options = {}) {
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

/** Changes something, with the session's token. */
export function order(method, path, body) {
  const headers = { "X-CSRF-Token": token().content, "Content-Type": "application/json" };
  return ask(path, { method, headers, body: JSON.stringify(body) });
}

/** A new session has a new token. */
export function renew(csrf) {
  token().content = csrf;
  for (const field of document.querySelectorAll("input[name=csrf]")) field.value = csrf;
}

/** A page of ours as a document, made by the browser's own parser of answers. */
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
