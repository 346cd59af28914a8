/** Finding what was said in the room: by words, or by its day. Loaded when it is opened. */

import { at } from "../../../shared/address.js";
import { make } from "../../../shared/dom.js";
import { clock } from "../../preferences.js";
import { mentions } from "../../rooms/message.js";
import { nickOf } from "../../rooms/nick_colour.js";
import { addressOf } from "../../rooms/tabs.js";
import { goTo } from "../lines/permalink.js";
import { search as words } from "../words.js";
import { dialog } from "./dialog.js";

const PAUSE = 250; // ms without a key, and the search begins
const PAGE = 30;

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/**
 * Opens the dialog; `text` is searched for at once, `everywhere`: in all rooms of this page.
 * @param {import("../../page.js").Page} page
 */
export function open(page, text = "", everywhere = false) {
  const room = page.rooms.home;
  const open = [...page.rooms].filter(({ isTalk }) => !isTalk);
  const shown = dialog(words.title(room.name));
  shown.classList.add("search");
  const box = make("input", { type: "text", value: text, placeholder: words.hint, autocomplete: "off", aria: { label: words.hint } });
  const all = make("input", { type: "checkbox", checked: everywhere });
  const date = make("input", { type: "date" });
  const told = make("p", { className: "muted" });
  told.setAttribute("role", "status");
  const list = make("ol", "hits");
  const more = make("button", { type: "button", className: "quiet", hidden: true }, words.more);
  const choices = [make("label", "", words.day, date), ...(open.length > 1 ? [make("label", "", words.everywhere, all)] : [])];
  shown.append(box, make("div", "choices", ...choices), told, list, more);

  const go = (/** @type {{room: string, seq: number}} */ { room: where, seq }) => {
    const isHere = page.rooms.get(where);
    shown.close();
    page.go(where);
    if (isHere) goTo(page, seq);
    else history.replaceState(null, "", `${addressOf(where)}#${seq}`); // followed when the room's messages are here
  };
  let asked = 0; // which search was the last
  const find = async (cursor = "") => {
    const query = box.value.trim();
    const mine = ++asked;
    if (!cursor) list.replaceChildren();
    more.hidden = true;
    told.textContent = "";
    if (!query) return;
    const rooms = all.checked && open.length > 1 ? open : [room];
    const answers = [];
    for (const each of rooms) {
      answers.push(await ask(each, { q: query, limit: PAGE, ...(cursor && { cursor }) })); // one at a time, as the server wants it
      if (mine !== asked) return;
    }
    const messages = answers
      .flatMap((answer) => answer.messages ?? [])
      .sort((one, other) => other.ts - one.ts)
      .filter(({ text }) => query !== page.me || mentions(text, query)); // the server also finds longer words
    const error = answers.find((answer) => answer.error)?.error.text;
    told.textContent = error ?? (messages.length || cursor ? "" : words.nothing);
    list.append(...messages.map((message) => hit(room, message, go)));
    const after = rooms.length === 1 && answers[0].cursor;
    more.hidden = !after;
    more.onclick = () => find(after);
  };
  let pause = 0;
  box.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(find, PAUSE);
  });
  all.addEventListener("change", () => find());
  box.addEventListener("keydown", (event) => event.key === "ArrowDown" && list.querySelector("a")?.focus());
  date.addEventListener("change", async () => {
    const answer = await ask(room, { at: new Date(`${date.value}T00:00`).getTime(), limit: 1 });
    if (answer.messages?.length) go(answer.messages[0]);
    else told.textContent = answer.error?.text ?? words.nothing;
  });
  shown.showModal();
  box.focus();
  if (text) find();
}

/**
 * @param {Chat.Room} room
 * @param {Record<string, any>} query
 * @returns {Promise<any>} what the server answers; an error as it says it
 */
async function ask(room, query) {
  try {
    const address = at(`/r/${room.name}/messages?${new URLSearchParams(query)}`);
    return await (await fetch(address, { headers: { Accept: "application/json" } })).json();
  } catch {
    return { error: { text: words.offline } };
  }
}

/**
 * A message that was found, as a link to it.
 * @param {Chat.Room} room
 * @param {Server.Msg} message
 * @param {(place: {room: string, seq: number}) => void} go
 */
function hit(room, message, go) {
  const { seq, ts, nick, text } = message;
  const where = message.room === room.name ? "" : `#${message.room}, `;
  const when = make("time", "muted", `${where}${day.format(ts)}, ${clock(ts)}`);
  const head = make("span", "from", nickOf(nick), when);
  const link = make("a", { href: `${addressOf(message.room)}#${seq}` }, head, make("span", "said", text));
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(message);
  });
  return make("li", "", link);
}
