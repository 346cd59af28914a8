/** The announcement dialog, with a preview of nc and of the page. */

import { order } from "../api.js";
import { byId, make } from "../../shared/dom.js";
import { toast } from "../toast.js";
import { announcement as words } from "../words.js";

const dialog = byId("announce");
const form = dialog.querySelector("form");

function preview() {
  const lines = form.elements.text.value.trim().split("\n");
  const shown = lines[0] ? lines : [words.empty];
  byId("preview-nc").textContent = words.terminal(shown);
  byId("preview-web").replaceChildren(make("span", {}, words.web(shown)));
}

/** Opens the dialog. */
export function open() {
  byId("announce-problem").textContent = "";
  preview();
  dialog.showModal();
}

form.addEventListener("input", preview);
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { text, door, room } = form.elements;
  try {
    const body = { text: text.value, door: door.value || null, room: room.value.trim() || null };
    const { connections } = await order("POST", "/admin/api/announce", body);
    toast(words.done(connections));
    form.reset();
    dialog.close();
  } catch (error) {
    byId("announce-problem").textContent = error.message;
  }
});
