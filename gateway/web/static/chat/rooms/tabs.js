/** The rooms as tabs, if there are several; the number of unread messages in the title, and a dot in the icon. */

import { BASE, at } from "../../shared/address.js";
import { byId, make } from "../../shared/dom.js";
import { remember } from "../../shared/storage.js";
import { number, room as words } from "../words.js";

/** @param {string} room */
export const addressOf = (room) => at(room === "lobby" ? "/" : `/r/${room}`);

/**
 * The room, or the talk, that an address of ours names; the lobby if it names none.
 * @param {{pathname: string, hash: string}} given
 */
export function roomAt({ pathname, hash }) {
  if (/^#(@|%40)/.test(hash)) return new URLSearchParams(`n=${hash.slice(1)}`).get("n") ?? ""; // never throws
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
    remember("sessionStorage", "rooms", rooms.length > 1 ? rooms.filter(({ isTalk }) => !isTalk).map(({ name }) => name) : "");
    this.#bar.hidden = rooms.length < 2;
    const isOnly = rooms.filter(({ isTalk }) => !isTalk).length < 2 && !shown.isTalk;
    this.#bar.replaceChildren(...rooms.map((room) => this.#tab(room, room === shown, isOnly)));
    const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
    document.title = words.title(shown.title, unread);
    this.#icon.href = unread ? this.#icon.dataset.unread : this.#quiet;
  }

  /** @param {Chat.Room} room   @param {boolean} isShown   @param {boolean} isOnly */
  #tab(room, isShown, isOnly) {
    const link = make("a", { href: room.address }, room.sign + room.title);
    const tab = make("span", "tab", link);
    if (room.unread) link.append(" ", make("b", "", (room.calls ? "@" : "") + number(room.unread)), make("span", "aloud", words.unread));
    if (!isShown) return tab;
    link.setAttribute("aria-current", "page");
    if (!isOnly) tab.append(make("button", { type: "button", className: "quiet", aria: { label: words.leave(room.title) } }, "✕"));
    return tab;
  }
}
