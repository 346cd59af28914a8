/** Finding what was said in the room: by words, or by its day. Loaded when it is opened. */

import { at } from "../../../shared/address.js";
import { make } from "../../../shared/dom.js";
import { clock } from "../../preferences.js";
import { nickOf } from "../../rooms/message.js";
import { goTo } from "../lines/permalink.js";
import { search as words } from "../words.js";
import { dialog } from "./dialog.js";

const PAUSE = 250; // ms without a key, and the search begins
const PAGE = 30;

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/**
 * Opens the dialog; `text` is searched for at once.
 * @param {import("../../page.js").Page} page
 */
export function open(page, text = "") {
  const room = page.rooms.home;
  const shown = dialog(words.title(room.name));
  shown.classList.add("search");
  const box = make("input", { type: "text", value: text, placeholder: words.hint, autocomplete: "off", aria: { label: words.hint } });
  const date = make("input", { type: "date" });
  const told = make("p", { className: "muted" });
  told.setAttribute("role", "status");
  const list = make("ol", "hits");
  const more = make("button", { type: "button", className: "quiet", hidden: true }, words.more);
  shown.append(box, make("label", "", words.day, date), told, list, more);

  const go = (seq) => {
    shown.close();
    page.go(room.name);
    goTo(page, seq);
  };
  let asked = 0; // which search was the last
  const find = async (cursor = "") => {
    const query = box.value.trim();
    const mine = ++asked;
    if (!cursor) list.replaceChildren();
    more.hidden = true;
    told.textContent = "";
    if (!query) return;
    const answer = await ask(room, { q: query, limit: PAGE, ...(cursor && { cursor }) });
    if (mine !== asked) return;
    told.textContent = answer.error?.text ?? (answer.messages.length || cursor ? "" : words.nothing);
    list.append(...(answer.messages ?? []).map((message) => hit(room, message, go)));
    more.hidden = !answer.cursor;
    more.onclick = () => find(answer.cursor);
  };
  let pause = 0;
  box.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(find, PAUSE);
  });
  box.addEventListener("keydown", (event) => event.key === "ArrowDown" && list.querySelector("a")?.focus());
  date.addEventListener("change", async () => {
    const answer = await ask(room, { at: new Date(`${date.value}T00:00`).getTime(), limit: 1 });
    if (answer.messages?.length) go(answer.messages[0].seq);
    else told.textContent = answer.error?.text ?? words.nothing;
  });
  shown.showModal();
  box.focus();
  if (text) find();
}

/** @returns {Promise<any>} what the server answers; an error as it says it */
async function ask(room, query) {
  try {
    const address = at(`/r/${room.name}/messages?${new URLSearchParams(query)}`);
    return await (await fetch(address, { headers: { Accept: "application/json" } })).json();
  } catch {
    return { error: { text: words.offline } };
  }
}

/** A message that was found, as a link to it. */
function hit(room, { seq, ts, nick, text }, go) {
  const when = make("time", "muted", `${day.format(ts)}, ${clock(ts)}`);
  const head = make("span", "from", nickOf(nick), when);
  const link = make("a", { href: `${room.address}#${seq}` }, head, make("span", "said", text));
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(seq);
  });
  return make("li", "", link);
}
