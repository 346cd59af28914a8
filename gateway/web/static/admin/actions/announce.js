/** Words to everybody, with how they will look in nc and on the page. */

import { order } from "../api.js";
import { byId } from "../../shared/dom.js";
import { make, toast } from "../page.js";

const dialog = byId("announce");
const form = dialog.querySelector("form");

function preview() {
  const lines = form.elements.text.value.trim().split("\n");
  const words = lines[0] ? lines : ["…"];
  byId("preview-nc").textContent = words.map((line, at) => (at ? `-- ${line}` : `-- [announcement] ${line}`)).join("\n");
  byId("preview-web").replaceChildren(make("span", {}, `[announcement] ${words.join("\n")}`));
}

/** Asks what to say. */
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
    toast(`Announced to ${connections} connection${connections === 1 ? "" : "s"}`);
    form.reset();
    dialog.close();
  } catch (error) {
    byId("announce-problem").textContent = error.message;
  }
});
