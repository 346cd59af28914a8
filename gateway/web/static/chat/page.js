/**
 * The chat page: puts the connection, the rooms with their logs, the box and the people together.
 *
 * What is true here:
 * - One session is in several rooms, of which one is shown (`room`); the address of the page is that room's.
 * - After a reconnect the server sends `joined` for each room, then either the missed messages one by one, or the latest
 *   ones as one history. Only when all of those are here (`Room.#caughtUp`) are the room's waiting lines sent: by then it
 *   is known which of them had arrived before.
 * - Settings, palette, keys and notifications are loaded on demand; each is handed the page.
 */

import { byId } from "../shared/dom.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Entry } from "./entry.js";
import { keepNick, keepToken, lastIdentity, leaveBehind } from "./identity.js";
import { mentions } from "./rooms/message.js";
import { People, wide } from "./rooms/people.js";
import { choose, isIgnored, settings } from "./preferences.js";
import { Room } from "./rooms/room.js";
import { Rooms } from "./rooms/rooms.js";
import { inFocus } from "./rooms/unread.js";
import * as shortcuts from "./shortcuts.js";
import { Status } from "./status.js";
import * as words from "./words.js";

/** The rest of the styles is fetched so long after the first words, before anything goes wrong. */
const SOON = 1_000;

/** The modules that are loaded on demand. */
const LATER = {
  copying: () => import("./later/lines/copying.js"),
  ignoring: () => import("./later/ignoring.js"),
  keylist: () => import("./later/dialogs/keylist.js"),
  notices: () => import("./later/notices.js"),
  palette: () => import("./later/dialogs/palette.js"),
  presence: () => import("./later/presence.js"),
  settings: () => import("./later/dialogs/settings.js"),
  sheet: () => import("./later/sheet.js"),
  taken_name: () => import("./later/taken_name.js"),
  walking: () => import("./later/lines/walking.js"),
};

export class Page {
  me = "guest";
  #was = lastIdentity();
  #wanted = this.#was.nick;
  #asked = ""; // the id of a nick request under way
  token = this.#was.token;
  #people = new People((nick) => (nick === this.me ? this.#askForName() : this.composer.mention(nick)));
  #status = new Status(() => this.#connection.open());
  #entry = new Entry(
    (nick) => this.#rename(nick),
    () => this.composer.focus(),
  );
  composer = new Composer(
    (text) => this.#say(text),
    () => this.nicks(),
  );
  #connection = new Connection(
    () => this.#hello(),
    (state) => this.#stateChanged(state),
    (object) => this.#take(object),
  );
  rooms = new Rooms(this, () => this.#shown());

  /** The room on the page. */
  get room() {
    return this.rooms.shown;
  }

  start() {
    this.rooms.show(this.room);
    if (!this.#wanted) this.#entry.ask(this.me);
    byId("me").addEventListener("click", () => (this.#entry.isOpen ? this.#entry.hide() : this.#askForName()));
    byId("settings-button").addEventListener("click", () => this.open("settings"));
    byId("scroller").addEventListener("focusin", () => this.fetch("walking"), { once: true });
    document.addEventListener("click", (event) => this.#clicked(event.target));
    document.addEventListener("selectstart", () => this.fetch("copying"), { once: true });
    shortcuts.listen(this, (by, among) => this.rooms.step(by, among), () => this.#escape());
    document.addEventListener("visibilitychange", () => document.hidden || this.#connection.wake());
    addEventListener("focus", () => this.#looked());
    addEventListener("pagehide", () => leaveBehind(this.token, this.#wanted));
    addEventListener("online", () => this.#connection.wake());
    addEventListener("pageshow", (event) => event.persisted && this.#connection.wake());
    this.#connection.open();
    if (wide.matches) this.composer.focus();
    if (settings.notify) this.fetch("notices");
  }

  /** @returns {boolean} whether the server will get it */
  send(object) {
    return this.#connection.send(object);
  }

  /** The nicks to complete, without our own, the latest speakers first. */
  nicks() {
    return [...new Set([...this.room.log.speakers(), ...this.room.doors.keys()])].filter((nick) => nick !== this.me);
  }

  /** Goes to a room, and joins it first if necessary. */
  go(name) {
    this.rooms.go(name);
  }

  /** Loads a module on demand; null if that fails. */
  async fetch(part) {
    try {
      return await LATER[part]();
    } catch {
      this.room.log.note("error", words.connection.notLoaded);
      return null;
    }
  }

  async open(dialog) {
    (await this.fetch(dialog))?.open(this);
  }

  /** Changes a setting; an empty `value` is the default. */
  set(name, value) {
    choose(name, value);
    for (const room of this.rooms) room.log.restyle();
  }

  /** The members, the count or the topic of a room have changed. */
  changed(room) {
    if (room !== this.room) return;
    this.#people.draw(room, this.me);
    byId("topic").textContent = byId("topic").title = room.topic;
  }

  /** Somebody said something; `replayed`: while we were away. */
  heard(room, { nick, text }, replayed) {
    const isSeen = room === this.room && inFocus();
    if (isSeen && !replayed) return room.log.rows.see();
    room.log.rows.markUnread();
    if (isSeen) return;
    room.unread += 1;
    this.rooms.draw();
    if (!replayed && mentions(text, this.me)) this.#notify(room, nick, text);
  }

  async #notify(room, nick, text) {
    if (settings.notify && document.hidden) (await this.fetch("notices"))?.notify(nick, text, () => this.go(room.name));
  }

  #shown() {
    this.composer.enter(this.room.name);
    this.changed(this.room);
    this.#looked();
  }

  #looked() {
    if (inFocus()) this.room.unread = 0;
    this.rooms.draw();
    this.room.log.rows.see();
  }

  #hello() {
    return {
      ...(this.#wanted && { nick: this.#wanted }),
      ...(this.token && { token: this.token }),
      rooms: this.rooms.resume(),
    };
  }

  #stateChanged(state) {
    this.#status.show(state);
    if (state.code === 4501) this.composer.close(words.box.banned);
    if (state.word === "connected") this.composer.connected();
    if (state.word === "connected") return;
    for (const room of this.rooms) room.outbox.closed();
  }

  async #say(text) {
    if (/^\/(un)?ignore(\s|$)/i.test(text)) return (await this.fetch("ignoring"))?.run(this, text);
    const [, other] = /^\/join\s+#?([a-z0-9][\w.-]{0,63})\s*$/i.exec(text) ?? [];
    if (other) return this.go(other.toLowerCase()); // at once: what is typed next is for that room
    this.room.log.rows.clearUnread();
    this.room.outbox.add(text);
    this.room.log.toEnd();
  }

  #askForName() {
    this.#entry.ask(this.me);
    this.#entry.focus();
  }

  #rename(nick) {
    if (!nick) return;
    this.#wanted = nick;
    this.#asked = `nick-${Date.now()}`;
    if (!this.send({ type: "nick", id: this.#asked, nick })) this.#asked = "";
  }

  #iAm(nick) {
    if (nick === this.me) return;
    this.me = nick;
    byId("my-nick").textContent = nick;
    if (nick === this.#wanted || !nick.startsWith("guest-")) {
      this.#wanted = nick;
      keepNick(nick);
      const inside = byId("entry").contains(document.activeElement);
      this.#entry.hide();
      if (inside) this.composer.focus();
    } else if (this.#entry.isOpen) this.#entry.ask(nick);
  }

  #take(object) {
    const isNew = object.type === "joined" && !this.rooms.get(object.room);
    const room = isNew ? this.rooms.enter(object.room) : this.rooms.get(object.room);
    const verb = `_${object.type}`;
    if (isNew) this.go(object.room);
    if (verb in Room.prototype) room?.[verb](object);
    else this[verb]?.(object, room ?? this.room);
  }

  // One method for each type of object that is not about one room; the other types need no action.

  _welcome({ nick, token = null, server }) {
    this.token = token;
    keepToken(token);
    setTimeout(() => this.fetch("sheet"), SOON);
    this.#iAm(nick);
    if (server.version !== document.body.dataset.version) {
      this.#status.offer(words.connection.newVersion, () => location.reload());
    }
  }

  _ack({ id, seq }, room) {
    if (seq !== undefined) room.log.acknowledged(seq);
    this.#answered(id);
  }

  #answered(id) {
    for (const room of this.rooms) room.outbox.answered(id);
  }

  _private(event) {
    if (isIgnored(event.from)) return;
    this.room.log.whisper(event, this.me);
    if (event.from === this.me || inFocus()) return;
    this.room.unread += 1;
    this.rooms.draw();
    this.#notify(this.room, event.from, event.text);
  }

  _notice({ id, text, topic, nick }, room) {
    if (topic !== undefined) room.topic = topic;
    if (nick !== undefined) this.#iAm(nick);
    if (id === undefined || id !== this.#asked) room.log.note("notice", text);
    this.#answered(id);
    this.changed(room);
  }

  _error(error, room) {
    if (error.code === "token_invalid") return; // we have become a new guest, and asked for our old nick already
    if (error.code === "muted") this.composer.closeFor(words.box.muted(error.text), error.retry_ms);
    if (this.rooms.turnedAway(error)) return;
    if (error.id === undefined) for (const each of this.rooms) each.log.refused();
    const aboutNick = error.code === "nick_taken" || error.code === "nick_invalid";
    if (aboutNick && (error.id === undefined || error.id === this.#asked)) {
      const wanted = this.#wanted ?? "";
      this.fetch("taken_name").then((part) => part?.tell(this.#entry, wanted, error));
      this.#wanted = this.me.startsWith("guest") ? null : this.me;
    } else if (error.id === undefined || ![...this.rooms].some((each) => each.outbox.refused(error))) {
      room.log.note("error", `${error.code}: ${error.text}`);
    }
  }

  /** Serves the copy buttons; a click beside the sheet of people closes it. */
  async #clicked(target) {
    if (target.dataset.copy !== undefined) (await this.fetch("copying"))?.copy(target);
    if (this.#people.isSheet && !target.closest("#people, #people-button")) this.#people.show(false);
  }

  /** Esc closes what is open, or removes the line "new since" and returns to the box. */
  #escape() {
    if (this.#people.isSheet) this.#people.show(false, true);
    else if (this.#entry.isOpen) this.#entry.hide();
    else {
      this.room.log.rows.clearUnread(this.room.log.head);
      this.composer.focus();
    }
  }
}
