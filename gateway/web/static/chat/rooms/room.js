/** One room of the session. */

import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { isIgnored } from "../preferences.js";
import { addressOf } from "./tabs.js";
import { inFocus } from "./unread.js";

const READ_EVERY = 2_000;

/** What this page knows of one room, and how it handles what the server sends about it. */
export class Room {
  topic = "";
  doors = new Map(); // nick -> door
  count = 0;
  unread = 0;
  calls = false; // whether one of the unread messages mentions us
  sign = "#";
  isTalk = false;
  asked = ""; // the id of the join that is not answered yet
  #page;
  #replayedTo = 0; // messages up to here are history
  #catchingUp = true;
  #all = true; // whether the list of members that came had everybody
  #tells = false; // whether the server wants to know what is read
  #formerDoor = "web"; // of who had our name before us, until their own new name is told
  #reading = 0; // the timer of telling it

  /** @param {import("../page.js").Page} page   @param {string} name */
  constructor(name, page) {
    this.name = name;
    this.#page = page;
    this.log = new Log(
      name,
      (fields) => page.send({ type: "history", room: name, ...fields }),
      () => this.#tellRead(),
    );
    this.outbox = new Outbox(
      name,
      () => page.me,
      (object) => this.send(object),
      (text) => page.composer.edit(text),
      (text, why) => page.composer.refused(text, why),
      () => this.log.keepView(),
    );
  }

  get title() {
    return this.name;
  }

  get address() {
    return addressOf(this.name);
  }

  /** @param {Chat.Sent} object   @returns {boolean} whether the server will get it */
  send(object) {
    return this.#page.send(object);
  }

  /** A room is joined again, so that the waiting lines of talks can be sent. */
  ready() {}

  /** Leaves the room. */
  part() {
    if (!this.asked) this.#page.send({ type: "part", room: this.name });
  }

  /** A connection begins: what arrives first was missed. */
  reconnect() {
    this.#catchingUp = true;
  }

  // One method for each type of object that the server sends about a room.

  /** @param {Server.Joined} event */
  _joined(event) {
    this.asked = "";
    this.#tells = event.read !== undefined;
    this.#replayedTo = event.head;
    this.doors = new Map(event.members.map(({ nick, door }) => [nick, door]));
    this.#all = event.members.length >= event.count;
    this.count = event.count;
    this.topic = event.topic;
    this.log.joined(event);
    this.#mine(event);
    if (event.read) this.read(event.read);
    if (event.recovered) {
      if (event.head <= this.log.head) this.#caughtUp();
    } else if (!this.#catchingUp) this.#page.send({ type: "history", room: this.name }); // a new epoch brings none by itself
    this.#page.changed(this);
  }

  /** @param {Server.Msg} message */
  _msg(message) {
    if (message.nick === this.#page.me && message.seq > this.#replayedTo) this.log.rows.mine(message.seq);
    const isNew = this.log.add(message, this.#page.me);
    const own = message.nick === this.#page.me || this.log.isOwn(message.seq);
    const isUnread = isNew && !own && message.seq > (this.log.rows.unread.position ?? 0); // else read on another connection
    if (isUnread && !isIgnored(message.nick)) this.#page.heard(this, message, message.seq <= this.#replayedTo);
    else this.log.rows.see();
    if (this.#catchingUp && message.seq >= this.#replayedTo) this.#caughtUp();
  }

  /** @param {Server.Gap} event */
  _gap(event) {
    this.log.gap(event);
    if (this.#catchingUp && event.to >= this.#replayedTo) this.#caughtUp();
  }

  /** @param {Server.History} event */
  _history(event) {
    this.#mine(event);
    this.log.history(event, this.#page.me);
    if (!this.#catchingUp) return;
    const { seq } = this.log.rows.unread;
    if (seq && !(this === this.#page.room && inFocus())) this.unread = this.log.head - seq + 1;
    this.#caughtUp();
    if (this === this.#page.room) this.#page.follow(false);
  }

  /** @param {Server.Presence} given */
  async _presence({ joined = [], left = [], renamed = [], count }) {
    const { me } = this.#page; // told at once by a notice: what is said here of that name is of who had it before us
    /** @param {string} nick */
    const knows = (nick) => this.doors.has(nick);
    /** @param {string} nick */
    const knew = (nick) => knows(nick) || !this.#all; // a name that nobody has seen is not news when it goes or changes
    const news = {
      left: left.filter(knew),
      joined: joined.filter(({ nick }) => !knows(nick)), // somebody who was here before us has not just joined
      renamed: renamed.filter(({ from, to }) => to !== me && knew(from)), // of ours we have been told
    };
    for (const nick of left) if (nick !== me) this.doors.delete(nick);
    for (const { from, to } of renamed) {
      if (from === me) this.doors.set(to, this.#formerDoor);
      for (const room of this.#page.rooms) if ((room === this && from !== me) || room.isTalk) room.renamed(from, to);
    }
    for (const { nick, door } of joined) this.doors.set(nick, door);
    this.count = count;
    this.#page.changed(this);
    (await this.#page.fetch("presence"))?.show(this.log.rows, news, this.#page.me);
  }

  /**
   * Renames a member; our own new name is known before.
   * @param {string} from
   * @param {string} to
   */
  renamed(from, to) {
    if (!this.doors.has(from)) return;
    this.#formerDoor = this.doors.get(to) ?? this.#formerDoor;
    this.doors.set(to, this.doors.get(from));
    this.doors.delete(from);
  }

  /**
   * The person has read up to `seq` on another connection.
   * @param {number} seq
   */
  read(seq) {
    this.log.rows.unread.read(seq);
    this.unread = Math.max(0, Math.min(this.unread, this.log.head - seq));
    this.calls &&= this.unread > 0;
    this.#page.rooms.draw();
  }

  /**
   * What we said, of what is told.
   * @param {{own?: number[]}} given
   */
  #mine({ own = [] }) {
    for (const seq of own) this.log.rows.mine(seq);
  }

  /** Tells the server how far this room has been read; not at each message. */
  #tellRead() {
    if (!this.#tells || this.#reading) return;
    this.#reading = setTimeout(() => {
      this.#reading = 0;
      this.#page.send({ type: "read", room: this.name, epoch: this.log.epoch, seq: this.log.rows.unread.position });
    }, READ_EVERY);
  }

  #caughtUp() {
    this.#catchingUp = false;
    this.outbox.opened(this.#page.token);
    for (const room of this.#page.rooms) room.ready();
  }
}
