/**
 * A room's log: makes rows of the messages that the server sends. The page shows one room's log at a time; the others grow
 * out of sight.
 *
 * A message is known by its number; the epoch is one for the whole list. A new epoch starts the list anew.
 */

import { byId } from "../../shared/dom.js";
import { isIgnored } from "../preferences.js";
import { log as words } from "../words.js";
import { countAloud, quiet } from "./screen_reader.js";
import { RowList } from "./rows.js";
import { noteRow } from "./row.js";

const PAGE = 100;

const live = byId("live");
const older = byId("older");

export class Log {
  /** The highest number seen, and the epoch it belongs to; null before the first joined. */
  head = 0;
  /** @type {string | null} */
  epoch = null;

  #request;
  #loaded = false;
  /** @type {number | null} */
  #asked = null; // the `before` of the request under way
  rows;
  #view;
  #onAnswer = () => {};

  /**
   * @param {string} room
   * @param {(fields: {before: number, limit: number}) => boolean} request  asks for history
   * @param {(position: {epoch: string, seq: number}) => void} onRead  seen up to there
   */
  constructor(room, request, onRead) {
    this.#request = request;
    this.rows = new RowList(
      room,
      () => this.toEnd(),
      (edge) => this.#reached(edge),
      (from, to) => this.#ask(to + 1, Math.min(PAGE, to - from + 1)),
      onRead,
    );
    this.#view = this.rows.view;
    older.addEventListener("click", () => this.#view.isShown && this.#askOlder());
  }

  /** Puts this log on the page. */
  show() {
    for (const other of live.children) other.removeAttribute("id");
    this.rows.element.id = "log";
    quiet();
    live.replaceChildren(this.rows.element);
    byId("jump").hidden = true;
    this.#settled();
    this.#view.begin();
    this.rows.unread.shown();
    this.rows.see();
  }

  /** How far the log has been seen. */
  get place() {
    return { epoch: this.epoch, after: this.head };
  }

  /** Where to resume from, for hello; nothing before the first history. */
  get resume() {
    return this.#loaded ? this.place : {};
  }

  /** @param {{epoch: string, head: number, recovered?: boolean}} event */
  joined(event) {
    this.refused();
    if (this.epoch !== null && this.epoch !== event.epoch) {
      this.rows.clear();
      this.head = 0;
      this.#loaded = false;
      this.note("notice", words.renumbered);
    }
    this.rows.unread.begin(event.epoch);
    this.epoch = event.epoch;
    if (event.head === 0 || event.recovered) this.#loaded = true;
    if (event.head === 0) this.rows.unread.see(0);
    this.#settled();
  }

  /**
   * Adds a live message.
   * @param {Server.Msg} message
   * @param {string} me
   * @returns {boolean} whether it was not here yet
   */
  add(message, me) {
    if (this.rows.has(message.seq)) return false;
    if (message.seq < this.head) {
      this.history({ messages: [message], more: this.rows.more }, me);
      return true;
    }
    this.head = message.seq;
    if (!this.#view.following && !isIgnored(message.nick)) {
      this.#view.missed();
      if (this.rows.isFull) this.#view.detached = true; // what is being read stays
    }
    if (!this.#view.detached) {
      const row = this.rows.draw(message, me);
      if (message.nick === me || this.isOwn(message.seq)) row.setAttribute("aria-live", "off");
      else if (this.#view.isShown) countAloud();
      this.rows.append(row);
    }
    this.#settled();
    return true;
  }

  /**
   * Inserts older messages, those of a hole, or the latest ones after joining, each at its place.
   * @param {{messages: Server.Msg[], more: boolean}} given
   * @param {string} me
   */
  history({ messages, more }, me) {
    quiet();
    const lowest = this.rows.first;
    const asked = this.#asked;
    const loading = asked !== null && messages.every((message) => message.seq < this.head);
    const last = messages.at(-1)?.seq ?? 0;
    if (asked !== null && last < asked - 1) this.rows.isGone(asked - 1);
    this.keepView(() => {
      if (!messages.length || messages[0].seq <= lowest) this.rows.more = more;
      if (last >= this.head) this.#view.detached = false;
      this.rows.insert(messages, me, asked, loading && messages[0]?.seq < lowest);
      this.head = Math.max(this.head, last);
      if (!this.#loaded) this.#begin(messages, me);
      this.#answered();
      this.#settled();
    });
  }

  /**
   * Shows a gap at the end of the list: messages that were not sent to us, before any later one has come.
   * @param {Server.Gap} given
   */
  gap({ from, to }) {
    if (this.#view.detached || to <= this.head || from > to) return;
    this.rows.tail(Math.max(from, this.head + 1), to);
  }

  /** A request was refused: the buttons work again. */
  refused() {
    if (this.#view.isShown) byId("skeleton").hidden = true;
    this.#answered();
  }

  /**
   * A message of ours is committed.
   * @param {number} seq
   */
  acknowledged(seq) {
    this.rows.acknowledged(seq);
  }

  /** @param {number} seq */
  isOwn(seq) {
    return this.rows.isOwn(seq);
  }

  /**
   * The latest messages are here: those that were not seen before are new, unless the person was never here.
   * @param {Server.Msg[]} messages
   * @param {string} me
   */
  #begin(messages, me) {
    this.#loaded = true;
    const { unread } = this.rows;
    const { position } = unread;
    if (position === null) unread.see(this.head);
    else if (messages.some(({ seq, nick }) => seq > position && nick !== me)) this.rows.markUnread();
    this.rows.see();
  }

  /**
   * Adds words of the server or of the page; `kind` is "notice" or "error".
   * @param {string} kind
   * @param {string} text
   */
  note(kind, text) {
    this.rows.append(noteRow(kind, text));
  }

  /**
   * Loads the messages around one, instead of the end.
   * @param {number} seq
   * @returns {Promise<void>} done when they are here
   */
  around(seq) {
    this.rows.clear();
    this.#view.detached = true;
    this.#view.following = false;
    this.#ask(Math.min(seq + PAGE / 2, this.head + 1), PAGE);
    return new Promise((done) => (this.#onAnswer = () => done(undefined)));
  }

  /** Moves the view to the end, which it follows; loads the end if it was unloaded. */
  toEnd() {
    if (this.#view.detached) {
      this.rows.clear();
      this.#ask(this.head + 1, PAGE);
    }
    this.#view.following = true;
    this.keepView();
  }

  /** Changes the rows without moving what the person is reading. */
  keepView(change = () => {}) {
    this.#view.keep(change);
  }

  #askOlder() {
    this.#ask(this.rows.first, PAGE);
  }

  /**
   * The first or the last row is near what is seen.
   * @param {"first" | "last"} edge
   */
  #reached(edge) {
    if (edge === "first" && this.rows.more) this.#askOlder();
    if (edge === "last") this.#ask(Math.min(this.head, this.rows.last + PAGE) + 1, PAGE);
  }

  /** @param {number} before   @param {number} limit */
  #ask(before, limit) {
    if (this.#asked !== null || !this.#request({ before, limit })) return;
    this.#asked = before;
    older.disabled = true;
  }

  #answered() {
    this.#asked = null;
    this.#onAnswer();
    older.disabled = false;
  }

  #settled() {
    if (!this.#view.isShown) return;
    byId("skeleton").hidden = this.#loaded;
    this.rows.unread.count(this.head);
    byId("empty").hidden = !this.#loaded || this.head > 0;
    older.hidden = !this.rows.more || !this.rows.size;
    this.#view.showNewest();
  }
}
