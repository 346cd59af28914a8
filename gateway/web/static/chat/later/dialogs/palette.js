/** The palette: rooms, people, commands and settings found by a few letters. Loaded when it is opened. */

import { at } from "../../../shared/address.js";
import { dialog } from "./dialog.js";
import { make } from "../../../shared/dom.js";
import { isComposing } from "../../composer.js";
import { commands } from "../box/suggestions.js";
import { nicks } from "../known_nicks.js";
import { open as search } from "./search.js";
import { open as openTalk } from "../private_talks.js";
import { keys, palette as words, settings } from "../words.js";

const MOST_SHOWN = 50;

/**
 * Opens the dialog.
 * @param {import("../../page.js").Page} page
 */
export async function open(page) {
  const shown = dialog(words.title);
  const aria = { label: words.title, controls: "choices", expanded: true };
  const box = make("input", { type: "text", placeholder: words.hint, autocomplete: "off", aria });
  box.setAttribute("role", "combobox");
  const list = make("ul", { id: "choices", aria: { label: words.found } });
  list.setAttribute("role", "listbox");
  shown.classList.add("palette");
  shown.append(box, list);

  let entries = known(page, []);
  /** @type {Chat.Choice[]} */
  let found = [];
  let at = 0;
  /** @param {number} to */
  const point = (to) => {
    at = (to + found.length) % (found.length || 1);
    [...list.children].forEach((option, index) => (option.setAttribute("aria-selected", String(index === at))));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    box.setAttribute("aria-activedescendant", found.length ? `choice-${at}` : "");
  };
  const look = () => {
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = entries.filter(({ name, kind }) => wanted.every((/** @type {string} */ word) => `${name} ${kind}`.toLowerCase().includes(word)));
    found.length = Math.min(found.length, MOST_SHOWN);
    const text = box.value.trim();
    found.push({ name: words.search, kind: words.page, words: text, run: () => search(page, text) });
    list.replaceChildren(...found.map(option));
    point(0);
  };
  /** @param {number} index */
  const take = (index) => {
    shown.close();
    found[index]?.run();
  };
  box.addEventListener("input", look);
  box.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    if (event.key === "ArrowDown") point(at + 1);
    else if (event.key === "ArrowUp") point(at - 1);
    else if (event.key === "Enter") take(at);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (option) take([...list.children].indexOf(option));
  });
  look();
  shown.showModal();
  box.focus();
  entries = known(page, await otherRooms(page));
  look();
}

/**
 * The rooms of the server that this page is not in.
 * @param {import("../../page.js").Page} page
 */
async function otherRooms(page) {
  try {
    /** @type {Server.ListedRoom[]} */
    const rooms = await (await fetch(at("/rooms"))).json();
    return rooms.filter(({ room }) => !page.rooms.get(room));
  } catch {
    return [];
  }
}

/**
 * Everything that can be chosen: name, kind, words, and the action.
 * @param {import("../../page.js").Page} page
 * @param {Server.ListedRoom[]} others
 */
function known(page, others) {
  /** @param {string} text */
  const write = (text) => () => page.composer.write(text);
  /** @param {Chat.Room} room */
  const open = (room) => ({
    name: room.sign + room.title,
    kind: room.isTalk ? words.person : words.room,
    words: room.unread ? words.unread(room.unread) : room.topic,
    run: () => page.go(room.name),
  });
  return [
    ...[...page.rooms].filter((room) => room !== page.room).map(open),
    ...nicks(page)
      .filter((nick) => page.room.doors.has(nick)) // curl cannot be written to
      .map((nick) => ({
        name: nick,
        kind: words.person,
        words: words.privately,
        run: () => openTalk(page, nick),
      })),
    ...others.map(({ room, topic, count }) => ({
      name: `#${room}`,
      kind: words.join,
      words: words.here(count, topic),
      run: () => page.go(room),
    })),
    open(page.room), // nobody wants to go where they are
    ...commands().map(([name, usage, meaning]) => ({
      name: `/${name}`,
      kind: words.command,
      words: `${usage}  ${meaning}`.trim(),
      run: write(`/${name} `),
    })),
    { name: words.mentions, kind: words.page, words: page.me, run: () => search(page, page.me, true) },
    { name: settings.title, kind: words.page, words: "", run: () => page.open("settings") },
    { name: keys.title, kind: words.page, words: "", run: () => page.open("keylist") },
  ];
}

/** @param {Chat.Choice} given   @param {number} index */
function option({ name, kind, words: meaning }, index) {
  const parts = [make("bdi", "value", name), make("span", "muted", meaning), make("span", "muted kind", kind)];
  const row = make("li", { id: `choice-${index}` }, ...parts);
  row.setAttribute("role", "option");
  return row;
}
