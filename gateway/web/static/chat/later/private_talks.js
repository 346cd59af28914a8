/**
 * Private talks: a tab for each person, kept in this browser tab until it is closed. Loaded with the first private message.
 *
 * A talk is a room that the server does not know. Its messages are sent as `/msg NICK …` from a room that we are in, and
 * enter the log when the server sends them back, like all others. It has no numbers and no history on the server.
 */

import "./sheet.js";
import { make } from "../../shared/dom.js";
import { isRecord, isText, recall, remember } from "../../shared/storage.js";
import { isIgnored } from "../preferences.js";
import { body, timeOf } from "../rooms/message.js";
import { nickOf } from "../rooms/nick_colour.js";
import { Room } from "../rooms/room.js";
import { inFocus } from "../rooms/unread.js";
import { talk as words } from "./words.js";

/** @typedef {import("../page.js").Page} Page */
/** @typedef {{from: string, to: string, ts: number, text: string}} Whisper */

const MOST_TALKS = 20;
const MOST_KEPT = 100; // messages of a talk
/** Commands that would act on the room from which the talk's messages are sent. */
const FOR_ROOMS = ["topic", "history", "since", "delete", "redact"];

class Talk extends Room {
  sign = "@";
  isTalk = true;
  /** @type {Whisper[]} */
  said = [];
  #page;
  #nick;

  /** @param {Page} page   @param {string} nick */
  constructor(nick, page) {
    super(`@${nick}`, page);
    this.#page = page;
    this.#nick = nick;
    this.topic = words.topic(nick);
    this.log.joined({ epoch: "talk", head: 1, recovered: true });
    this.log.head = 1; // so that it never shows the invitation of an empty room
    this.ready();
  }

  get title() {
    return this.#nick;
  }

  get address() {
    return `${this.#page.rooms.home.address}#${encodeURIComponent(this.name)}`;
  }

  /** A connection is ready: sends what waited. */
  ready() {
    this.doors = this.#page.rooms.home.doors;
    this.count = this.#page.rooms.home.count;
    this.outbox.opened(this.#page.token);
  }

  /** @param {Chat.Sent} object */
  send(object) {
    const [, verb] = /^\/([^\s/]+)(?=\s|$)/.exec(object.text ?? "") ?? [];
    if (verb && FOR_ROOMS.some((one) => one === verb.toLowerCase() || (verb.length > 1 && one.startsWith(verb.toLowerCase())))) {
      Promise.resolve().then(() => this.outbox.refused({ id: object.id, code: "bad_message", text: words.notHere(verb) }));
      return true;
    }
    const said = (object.text ?? "").replace(/^\/\//, "/").replace(/^\/me(?=\s+\S)/i, `* ${this.#page.me}`);
    const text = verb && said === object.text ? object.text : `/msg ${this.#nick} ${said}`;
    return this.#page.send({ ...object, room: this.#page.rooms.home.name, text });
  }

  /** Closes the tab; nothing of it is kept. */
  part() {
    keep([...this.#page.rooms].filter((room) => room !== this));
  }

  /**
   * The other person's new name is the talk's, unless there is a talk of that name. What waits is sent to the new name.
   * @param {string} from
   * @param {string} to
   */
  renamed(from, to) {
    const { rooms } = this.#page;
    const other = known(this.#page, to);
    if (from !== this.#nick || (other && other !== this)) return;
    this.outbox.closed();
    for (const [area, fits] of Object.entries({ outbox: Array.isArray, draft: isText })) {
      remember("sessionStorage", `${area}:@${to}`, recall("sessionStorage", `${area}:${this.name}`, fits));
      remember("sessionStorage", `${area}:${this.name}`, "");
    }
    const talk = /** @type {Talk} */ (rooms.add(new Talk(to, this.#page)));
    talk.unread = this.unread;
    talk.fill(this.said);
    if (rooms.shown === this) rooms.show(talk);
    if (rooms.shown === talk) history.replaceState(null, "", talk.address);
    rooms.remove(this);
    keep([...rooms]);
  }

  /**
   * Takes the messages of before.
   * @param {Whisper[]} said
   */
  fill(said) {
    this.said = said;
    for (const whisper of said) this.add(whisper);
  }

  /** @param {Whisper} whisper */
  add({ from, ts, text }) {
    const who = make("span", { className: "who", title: from }, nickOf(from));
    const row = make("li", { className: "msg", data: { ts } }, who, body(text, this.#page.me), timeOf(ts));
    row.classList.add("private");
    row.classList.toggle("own", from === this.#page.me);
    this.log.rows.append(row, { nick: from, kind: "say", ts, text });
  }
}

/** @param {Chat.Room[]} rooms */
const keep = (rooms) => {
  const talks = rooms.filter((room) => room.isTalk).slice(-MOST_TALKS);
  remember("sessionStorage", "talks", talks.length && Object.fromEntries(talks.map((/** @type {any} */ one) => [one.title, one.said.slice(-MOST_KEPT)])));
};

/**
 * The talk with somebody, if there is one.
 * @param {Chat.Page} page
 * @param {string} nick
 */
const known = (page, nick) =>
  [...page.rooms].find((room) => room.isTalk && room.title.toLowerCase() === nick.toLowerCase());

/** @param {Chat.Page} page   @param {string} nick   @returns {Talk} the talk with somebody, as a tab */
const talkWith = (page, nick) => /** @type {Talk} */ (known(page, nick) ?? page.rooms.add(new Talk(nick, page)));

/**
 * Takes a private message, to us or by us.
 * @param {Chat.Page} page
 * @param {Server.Private} whisper
 */
export function take(page, whisper) {
  const isMine = whisper.from === page.me;
  if (isIgnored(whisper.from)) return;
  const talk = talkWith(page, isMine ? whisper.to : whisper.from);
  talk.said.push(whisper);
  talk.add(whisper);
  keep([...page.rooms]);
  if (!isMine && !(talk === page.room && inFocus())) {
    talk.unread += 1;
    page.notify(talk, whisper.from, whisper.text);
  }
  page.rooms.draw();
}

/**
 * The talk with the latest message to us.
 * @param {Chat.Page} page
 */
export function lastWriter(page) {
  /** @param {any} talk */
  const when = ({ said }) => [...said].reverse().find(({ from }) => from !== page.me)?.ts ?? 0;
  const talks = [...page.rooms].filter((room) => room.isTalk).sort((one, other) => when(other) - when(one));
  return talks.find(when);
}

/**
 * Opens the talk with somebody.
 * @param {Chat.Page} page
 * @param {string} nick
 * @returns {Talk}
 */
export function open(page, nick) {
  const talk = talkWith(page, nick);
  keep([...page.rooms]); // with what may wait in it
  page.go(talk.name);
  return talk;
}

/**
 * Restores the talks of before a reload.
 * @param {Chat.Page} page
 */
export function restore(page) {
  for (const [nick, said] of Object.entries(recall("sessionStorage", "talks", isRecord) ?? {})) {
    const whispers = Array.isArray(said) ? said.filter((one) => isRecord(one) && typeof one.text === "string" && one.ts > 0) : [];
    talkWith(page, nick).fill(whispers.map((whisper) => ({ ...whisper, from: String(whisper.from) })));
  }
  page.rooms.draw();
  page.rooms.revisit();
}
