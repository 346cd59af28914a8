/** The rooms as tabs, if there are several; the number of unread messages in the title, and a dot in the icon. */

import { BASE, at } from "../../shared/address.js";
import { byId, make } from "../../shared/dom.js";
import { remember } from "../../shared/storage.js";
import { number, room as words } from "../words.js";

export const addressOf = (room) => at(room === "lobby" ? "/" : `/r/${room}`);

/** The room that an address of ours names; the lobby if it names none. */
export function roomAt({ pathname }) {
  const path = pathname.startsWith(`${BASE}/`) ? pathname.slice(BASE.length) : pathname;
  return /^\/r\/([a-z0-9][\w.-]{0,63})$/i.exec(path)?.[1].toLowerCase() ?? "lobby";
}

/** @typedef {import("./room.js").Room} Room */

export class Tabs {
  #bar = byId("rooms");
  #icon = byId("icon");
  #quiet = this.#icon.getAttribute("href");

  /**
   * @param {(name: string) => void} onGo
   * @param {() => void} onLeave  called to leave the room on the page
   */
  constructor(onGo, onLeave) {
    this.#bar.addEventListener("click", (event) => {
      if (event.target.closest("button")) return onLeave();
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      onGo(roomAt(link));
    });
  }

  /**
   * @param {Room[]} rooms
   * @param {Room} shown  the one on the page
   */
  draw(rooms, shown) {
    remember("sessionStorage", "rooms", rooms.length > 1 ? rooms.map(({ name }) => name) : "");
    this.#bar.hidden = rooms.length < 2;
    this.#bar.replaceChildren(...rooms.map((room) => this.#tab(room, room === shown)));
    const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
    document.title = words.title(shown.name, unread);
    this.#icon.href = unread ? this.#icon.dataset.unread : this.#quiet;
  }

  #tab(room, isShown) {
    const link = make("a", { href: addressOf(room.name) }, `#${room.name}`);
    const tab = make("span", "tab", link);
    if (room.unread) link.append(" ", make("b", "", number(room.unread)), make("span", "aloud", words.unread));
    if (!isShown) return tab;
    link.setAttribute("aria-current", "page");
    tab.append(make("button", { type: "button", className: "quiet", aria: { label: words.leave(room.name) } }, "✕"));
    return tab;
  }
}
