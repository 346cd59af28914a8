/** The login dialog, which opens when the session is over. Nothing on the page is lost. */

import { ask, page, renew } from "./api.js";
import { byId } from "../shared/dom.js";
import { login as words } from "./words.js";

const dialog = byId("login");
const form = dialog.querySelector("form");
let waiting = null;

/** Resolves when somebody has logged in again. */
export function loggedOut() {
  waiting ??= new Promise((resolve) => {
    dialog.showModal();
    const { name, password, link } = form.elements; // the first two only where somebody has a password
    (name ? (name.value ? password : name) : link).focus();
    form.onsubmit = (event) => {
      event.preventDefault();
      attempt(resolve, () => logIn());
    };
    byId("login-again").onclick = () => attempt(resolve, () => lookAgain());
  });
  return waiting;
}

dialog.addEventListener("cancel", (event) => event.preventDefault());

/** @param {(value?: unknown) => void} resolve   @param {() => Promise<Server.LoggedIn>} way */
async function attempt(resolve, way) {
  byId("login-problem").hidden = true;
  try {
    const { csrf, name, role } = await way();
    if (name !== document.body.dataset.name || role !== document.body.dataset.role) return location.reload();
    renew(csrf);
    form.reset();
    dialog.close();
    waiting = null;
    resolve();
  } catch (error) {
    byId("login-problem").textContent = error.status === 401 ? words.notYet : error.message;
    byId("login-problem").hidden = false;
  }
}

function logIn() {
  const { name, password, link } = form.elements;
  const token = /token=([^&\s]+)/.exec(link.value)?.[1] ?? link.value.trim();
  const given = token || !name ? { token, name: linkName() } : { name: name.value, password: password.value };
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  return ask("/admin/login", { method: "POST", headers, body: JSON.stringify(given) });
}

/** The name that was given with the last link, so that the new session has the same name. */
function linkName() {
  return /^link:(.*)$/.exec(document.body.dataset.name)?.[1] ?? "";
}

async function lookAgain() {
  const fresh = await page("/admin/sessions");
  return { csrf: fresh.querySelector("meta[name=csrf-token]").content, ...fresh.body.dataset };
}
