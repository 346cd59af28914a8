/**
 * The chat page: puts the connection, the rooms with their logs, the box and the people together.
 *
 * What is true here:
 * - One session is in several rooms, of which one is shown (`room`); the address of the page is that room's.
 * - After a reconnect the server sends `joined` for each room, then either the missed messages one by one, or the latest
 *   ones as one history. Only when all of those are here (`Room.#caughtUp`) are the room's waiting lines sent.
 * - Settings, palette, keys and notifications are loaded on demand; each is handed the page.
 */

import { byId } from "../shared/dom.js";
import { isRecord, recall } from "../shared/storage.js";
import { Composer, OWN } from "./composer.js";
import { Connection } from "./connection.js";
import { keepNick, keepToken, lastIdentity } from "./identity.js";
import { load } from "./on_demand.js";
import { mentions, prose } from "./rooms/message.js";
import { People, wide } from "./rooms/people.js";
import { settings } from "./preferences.js";
import { Room } from "./rooms/room.js";
import { Rooms } from "./rooms/rooms.js";
import { inFocus } from "./rooms/unread.js";
import { Status } from "./status.js";
import * as words from "./words.js";

/** Ms after the welcome at which the other events and the rest of the styles are loaded, before they are needed. */
const SOON = 1_000;

const LONG = 20_000; // characters that fit a frame of 64 KiB

export class Page {
  me = "guest";
  #was = lastIdentity();
  /** @type {string | null} */
  wanted = this.#was.nick;
  asked = ""; // the id of a nick request under way
  longest = 65_536; // bytes of a message
  secret = ""; // and that of a /login
  /** @type {string | null} */
  role = null; // of our account
  /** @type {string | null} */
  token = this.#was.token;
  #greets = false; // hello was sent and is not answered yet
  #people = new People((nick) => (nick === this.me ? this.askForName(true) : this.composer.mention(nick)));
  #status = new Status(() => this.#connection.open());
  #said = Promise.resolve(); // what was typed before is on its way, in the room or talk that it is for
  /** @type {Composer} */
  composer = new Composer((text) => (this.#said = this.#said.finally(() => this.#say(text))), this);
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
    byId("me").addEventListener("click", () => (byId("entry").hidden ? this.askForName(true) : this.#closeEntry()));
    byId("settings-button").addEventListener("click", () => this.open("settings"));
    byId("rooms-button").addEventListener("click", () => this.open("palette"));
    byId("scroller").addEventListener("focusin", () => this.fetch("keyboard").then((part) => part?.begin(this)), { once: true });
    byId("scroller").addEventListener("pointerover", () => this.fetch("menu").then((part) => part?.begin(this)), { once: true });
    document.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("selectstart", () => this.fetch("copying"), { once: true });
    /** @param {any} event */
    const early = (event) => {
      if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      event.target.blur(); // letters typed before the palette is here must not be posted
      this.open("palette");
    };
    addEventListener("keydown", early);
    addEventListener("load", async () => (await this.fetch("shortcuts"))?.listen(this, early));
    document.addEventListener("visibilitychange", () => document.hidden || this.#connection.wake());
    addEventListener("focus", () => this.#looked());
    addEventListener("online", () => this.#connection.wake());
    addEventListener("pageshow", () => this.#connection.wake());
    this.#connection.open();
    if (wide.matches) this.composer.focus();
    if (settings.notify) this.fetch("notifications");
    if (recall("sessionStorage", "talks", isRecord)) this.#said = this.fetch("private_talks").then((part) => part?.restore(this));
  }

  /** @param {Chat.Sent} object   @returns {boolean} whether the server will get it */
  send(object) {
    if (/** @type {any} */ (object.text)?.length > LONG) return !!this.fetch("long_text").then((part) => part?.post(this, object));
    return this.#connection.send(object);
  }

  /** Goes to the message that the address names. */
  async follow(again = true) {
    if (location.hash) (await this.fetch("permalink"))?.follow(this, again);
  }

  /**
   * Goes to a room, and joins it first if necessary.
   * @param {string} name
   */
  go(name) {
    this.rooms.go(name);
  }

  /**
   * Loads a module on demand; null if that fails. Whoever waits for the same one goes on in the order of asking.
   * @param {string} part
   */
  async fetch(part) {
    const found = await load(part);
    if (!found) this.room.log.note("error", words.connection.notLoaded);
    return found;
  }

  /** @param {string} dialog */
  async open(dialog) {
    (await this.fetch(dialog))?.open(this);
  }

  /**
   * The members, the count or the topic of a room have changed.
   * @param {Chat.Room} room
   */
  changed(room) {
    if (room !== this.room) return;
    this.#people.draw(room, this.me);
    const topic = byId("topic");
    topic.replaceChildren();
    topic.title = room.topic;
    topic.tabIndex = room.topic ? 0 : -1; // with the focus it is unfolded
    prose(topic, room.topic);
  }

  /**
   * Somebody said something; `replayed`: while we were away.
   * @param {Chat.Room} room
   * @param {Server.Msg} given
   * @param {boolean} replayed
   */
  heard(room, { nick, text }, replayed) {
    const isSeen = room === this.room && inFocus();
    if (isSeen && !replayed) return room.log.rows.see();
    room.log.rows.markUnread();
    if (isSeen) return;
    const calls = mentions(text, this.me);
    room.unread += 1;
    room.calls ||= calls;
    this.rooms.draw();
    if (!replayed && calls) this.notify(room, nick, text);
  }

  /** @param {Chat.Room} room   @param {string} nick   @param {string} text */
  async notify(room, nick, text) {
    if (settings.notify && document.hidden) (await this.fetch("notifications"))?.notify(nick, text, () => this.go(room.name));
  }

  #shown() {
    this.composer.enter(this.room);
    this.changed(this.room);
    this.#looked();
  }

  #looked() {
    if (inFocus()) Object.assign(this.room, { unread: 0, calls: false });
    this.rooms.draw();
    this.room.log.rows.see();
  }

  #hello() {
    this.#greets = true;
    this.token = lastIdentity().token ?? this.token; // another tab may have become somebody else
    return {
      ...(this.wanted && { nick: this.wanted }),
      ...(this.token && { token: this.token }),
      rooms: this.rooms.resume(),
    };
  }

  /** @param {Chat.State} state */
  #stateChanged(state) {
    this.#status.show(state);
    if (state.code === 4501 && byId("closed").hidden) this.composer.close(words.box.banned);
    if (state.word === "ended") this.#ended();
    if (state.word === "connected") return;
    for (const room of this.rooms) room.outbox.closed();
  }

  /**
   * @param {string} text
   * @returns {Promise<void>}
   */
  async #say(text) {
    if (OWN.test(text)) {
      const part = await this.fetch("commands");
      return part ? part.run(this, text) : this.composer.edit(text);
    }
    const [, other] = /^\/join\s+#?([a-z0-9][\w.-]{0,63})\s*$/i.exec(text) ?? [];
    if (other) return this.go(other.toLowerCase()); // at once: what is typed next is for that room
    this.room.log.rows.clearUnread();
    byId("entry").hidden = true;
    this.room.outbox.add(text);
    this.room.log.toEnd();
  }

  /** The session is over for now; the rooms can still be read. */
  async #ended() {
    const unread = [...this.rooms].filter((room) => !room.log.epoch);
    if (unread.length) (await this.fetch("read_only"))?.read(this, unread);
  }

  /** @param {string} nick */
  iAm(nick) {
    if (nick === this.me) return;
    for (const room of this.rooms) room.renamed(this.me, nick);
    this.me = nick;
    this.changed(this.room);
    byId("my-nick").textContent = nick;
    if (nick === this.wanted || !nick.startsWith("guest-")) {
      this.wanted = nick;
      keepNick(nick);
      this.#closeEntry();
    } else if (!this.wanted) this.askForName();
  }

  async askForName(focus = false) {
    const entry = await this.fetch("nick_field");
    entry?.begin(this);
    entry?.ask(focus);
  }

  #closeEntry() {
    const inside = byId("entry").contains(document.activeElement);
    byId("entry").hidden = true;
    if (inside) this.composer.focus();
  }

  /** @param {any} object */
  #take(object) {
    const isNew = object.type === "joined" && !this.rooms.get(object.room);
    const room = isNew ? this.rooms.enter(object.room) : this.rooms.get(object.room);
    const { type } = object;
    const verb = `_${type}`;
    if (isNew) this.go(object.room);
    if (verb in Room.prototype) /** @type {any} */ (room)?.[verb](object);
    else if (verb in this) /** @type {any} */ (this)[verb](object, room ?? this.room);
    else this.fetch("events").then((part) => part?.[type]?.(this, object, room ?? this.room));
  }

  // One method for each type of object that is not about one room; later/events.js has others, the rest need no action.
  /** @param {Server.Welcome} given */
  _welcome({ nick, token, server, standing, limits }) {
    // After a restart with --memory each tab gets a new token: the first one that is kept counts for all.
    if (![token, lastIdentity().token ?? this.token].includes(this.token)) return this.#connection.open();
    // Another person, by /resume or /login: the rooms that are open here stay open.
    if (!this.#greets) for (const place of this.rooms.resume()) this.send({ type: "join", ...place });
    this.#greets = false;
    this.longest = limits.paste_bytes ?? this.longest;
    this.token = token;
    keepToken(token);
    setTimeout(async () => (await this.fetch("events"))?.compareVersions(server.version), SOON);
    this.composer.open();
    if (standing) this.#take({ ...standing, type: "standing" });
    this.iAm(nick);
  }

  /** @param {Server.Ack} given   @param {Chat.Room} room */
  _ack({ id, seq }, room) {
    if (seq !== undefined) room.log.acknowledged(seq);
    this.answered(id);
  }

  /** @param {string} id */
  answered(id) {
    for (const room of this.rooms) room.outbox.answered(id);
  }

  /**
   * Serves the copy buttons; a click beside the sheet of people closes it.
   * @param {any} given
   */
  async #clicked({ target }) {
    if (target.matches("#log .nick")) this.composer.mention(target.textContent);
    if (target.dataset.copy !== undefined) (await this.fetch("copying"))?.copy(target);
    if (this.#people.isSheet && !target.closest("#people, #people-button")) this.#people.show(false);
  }

  /** Esc closes what is open, or removes the line "new since" and returns to the box. */
  escape() {
    if (this.#people.isSheet) this.#people.show(false, true);
    else if (!byId("entry").hidden) this.#closeEntry();
    else {
      this.room.log.rows.clearUnread(this.room.log.head);
      this.composer.focus();
    }
  }
}
