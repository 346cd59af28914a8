/** The rooms of the session, of which one is on the page: entering, leaving and switching. */

import { byId } from "../../shared/dom.js";
import { isTexts, recall } from "../../shared/storage.js";
import { room as words } from "../words.js";
import { Room } from "./room.js";
import { Tabs, addressOf, roomAt } from "./tabs.js";

/** The form of a room name. */
export const ROOM_NAME = /^[a-z0-9][\w.-]{0,63}$/i;
/** Rooms that are restored after a reload, at most. */
const MOST_ROOMS = 16;

export class Rooms {
  /** @type {Map<string, Room>} */
  #all = new Map();
  #page;
  #onShow;
  #tabs = new Tabs(
    (name) => this.go(name),
    () => this.#page.fetch("switch_rooms").then((part) => part?.leave(this.#page, this.shown)),
  );
  /** The one on the page. */
  shown;

  /**
   * Shows the room of the address, and restores those that were open before a reload.
   * @param {import("../page.js").Page} page
   * @param {() => void} onShow  called when another room is on the page
   */
  constructor(page, onShow) {
    this.#page = page;
    this.#onShow = onShow;
    const before = recall("sessionStorage", "rooms", isTexts) ?? [];
    for (const name of before.slice(0, MOST_ROOMS - 1)) if (ROOM_NAME.test(name)) this.enter(name.toLowerCase());
    this.shown = this.enter(document.body.dataset.room);
    addEventListener("popstate", () => {
      this.revisit();
      page.follow();
    });
  }

  [Symbol.iterator]() {
    return this.#all.values();
  }

  /** @param {string} name */
  get(name) {
    return this.#all.get(name);
  }

  /**
   * The room with that name, made if necessary; the server has admitted us, or is asked when the connection begins.
   * @param {string} name
   */
  enter(name) {
    const room = this.#all.get(name) ?? new Room(name, this.#page);
    this.#all.set(name, room);
    return room;
  }

  /**
   * Goes to a room; joins it if need be.
   * @param {string} name
   */
  go(name) {
    const from = this.shown;
    this.#visit(name);
    if (this.shown !== from) history.pushState(null, "", this.shown.address);
  }

  /**
   * Takes away a room that has been left.
   * @param {Chat.Room} room
   */
  remove(room) {
    this.#all.delete(room.name);
    this.draw();
  }

  /**
   * Adds a private talk to the rooms.
   * @param {Chat.Room} room
   */
  add(room) {
    this.#all.set(room.name, room);
    return room;
  }

  /** The room on the page, or another room if a talk is on the page. */
  get home() {
    return this.shown.isTalk ? ([...this].find((room) => !room.isTalk) ?? this.shown) : this.shown;
  }

  /** Shows the room that the address names. */
  revisit() {
    this.#visit(roomAt(location));
  }

  /** @param {string} name */
  #visit(name) {
    if (name.startsWith("@") && !this.#all.has(name)) return; // a talk that was closed
    const asked = this.#all.has(name) ? "" : `join-${Date.now()}`;
    if (asked && !this.#page.send({ type: "join", room: name, id: asked })) {
      this.shown.log.note("error", words.offline(name));
    } else if (name !== this.shown.name) {
      const room = this.enter(name);
      room.asked = asked;
      this.show(room);
    }
  }

  /** @param {Chat.Room} room */
  show(room) {
    this.shown = room;
    room.log.show();
    room.outbox.show();
    byId("room-name").textContent = room.title;
    byId("sign").textContent = room.sign;
    byId("page-link").textContent = location.origin + addressOf(room.name);
    const join = byId("empty-join"); // absent where there is no door for terminals
    if (join) {
      join.hidden = room.name === "lobby";
      join.lastElementChild.textContent = `/join ${room.name}`;
    }
    this.#onShow();
  }

  /** The rooms for hello, the one on the page first. */
  resume() {
    for (const room of this) room.reconnect();
    const { home } = this;
    const others = [...this].filter((room) => room !== home && !room.isTalk);
    return [home, ...others].map((room) => ({ room: room.name, ...room.log.resume }));
  }

  draw() {
    this.#tabs.draw([...this], this.shown);
  }
}
