/** The rooms as tabs, where there are several; the number of what is new in the title, the dot in the icon. */

import { BASE, at } from "../../shared/address.js";
import { byId, make } from "../../shared/dom.js";
import { remember } from "../../shared/storage.js";
import { number, room as words } from "../words.js";

export const addressOf = (room) => at(room === "lobby" ? "/" : `/r/${room}`);

/** The room of an address of ours; the lobby where it names none that can be. */
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
   * @param {() => void} onLeave  the room on the page is left
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
    const tab = make("span", "tab");
    const link = make("a", "", `#${room.name}`);
    link.href = addressOf(room.name);
    tab.append(link);
    if (room.unread) link.append(" ", make("b", "", number(room.unread)), make("span", "aloud", words.unread));
    if (!isShown) return tab;
    link.setAttribute("aria-current", "page");
    const leave = make("button", "quiet", "✕");
    leave.type = "button";
    leave.setAttribute("aria-label", words.leave(room.name));
    tab.append(leave);
    return tab;
  }
}
