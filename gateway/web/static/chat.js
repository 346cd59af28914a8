/**
 * The chat page of one room: puts the connection, the log, the box and the people together.
 *
 * Coming back: the server tells `joined`, then either what was missed, message by message, or the latest as one history.
 * Only when all of that is here (#caughtUp) do lines go out again: by then it is known which of ours had arrived.
 */

import { Composer, Outbox, recall, remember } from "./composer.js";
import { Connection } from "./connection.js";
import { Log, doorOf, make, nickOf } from "./log.js";

const byId = (id) => document.getElementById(id);
const room = document.body.dataset.room;
const wide = matchMedia("(min-width: 900px)");
const SEEN_AFTER = 3_000;

/** Who is in the room: the panel, the counts in the bar. */
class People {
  #panel = byId("people");
  #list = byId("members");
  #button = byId("people-button");
  #doors = new Map(); // nick -> door
  #count = 0;
  #me;

  /**
   * @param {() => string} me  our nick
   * @param {(nick: string) => void} onPick  a name was pressed
   */
  constructor(me, onPick) {
    this.#me = me;
    this.#list.addEventListener("click", (event) => {
      const nick = event.target.closest("li")?.dataset.nick;
      if (!nick) return;
      if (!wide.matches) this.show(false);
      onPick(nick);
    });
    this.#button.addEventListener("click", () => this.show(this.#panel.hidden, true));
    byId("people-close").addEventListener("click", () => this.show(false, true));
    wide.addEventListener("change", () => this.show(wide.matches));
    this.show(wide.matches);
  }

  /** Opens or closes the panel; on a phone it is a sheet over the room and takes the focus. */
  show(open, focus = false) {
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (focus && !wide.matches) (open ? byId("people-close") : this.#button).focus();
  }

  get isSheet() {
    return !this.#panel.hidden && !wide.matches;
  }

  nicks() {
    return [...this.#doors.keys()];
  }

  joined({ members, count }) {
    this.#doors.clear();
    this.#list.replaceChildren();
    for (const { nick, door } of members) this.#add(nick, door);
    this.#tell(count);
  }

  changed({ joined = [], left = [], renamed = [], count }) {
    for (const nick of left) this.#remove(nick);
    for (const { from, to } of renamed) this.#add(to, this.#remove(from));
    for (const { nick, door } of joined) this.#add(nick, door);
    this.#tell(count);
  }

  #add(nick, door) {
    this.#remove(nick);
    this.#doors.set(nick, door);
    const row = make("li");
    row.dataset.nick = nick;
    const name = make("button", "quiet");
    name.type = "button";
    name.append(nickOf(nick));
    if (nick === this.#me()) name.append(make("span", "muted", "you"));
    if (door) name.append(doorOf(door, door === "web" ? "web" : `terminal, ${door}`));
    row.append(name);
    const next = [...this.#list.children].find((one) => one.dataset.nick.localeCompare(nick) > 0);
    this.#list.insertBefore(row, next ?? null);
  }

  #remove(nick) {
    const door = this.#doors.get(nick);
    this.#doors.delete(nick);
    [...this.#list.children].find((row) => row.dataset.nick === nick)?.remove();
    return door;
  }

  #tell(count = this.#count) {
    this.#count = count;
    const web = [...this.#doors.values()].filter((door) => door === "web").length;
    const complete = count === this.#doors.size;
    const parts = [web && `${web} web`, count - web && `${count - web} terminal`];
    const tally = complete ? parts.filter(Boolean).join(", ") : "";
    byId("count").textContent = `${count.toLocaleString("en")} here`;
    byId("doors").textContent = tally;
    byId("first").textContent = count > 1 ? "Nothing has been said here yet." : "You are the first here.";
    byId("people-title").textContent = `${count.toLocaleString("en")} here`;
    byId("tally").textContent = tally;
    byId("members-note").hidden = complete;
    byId("members-note").textContent = "In big rooms the list is not kept up to date. /who shows it.";
  }
}

/** The name field: asks for a nick, tells why one was refused, offers the next. */
class Entry {
  #form = byId("entry");
  #field = byId("nick");
  #hint = byId("entry-hint");
  #offer = byId("offer");

  /** @param {(nick: string) => void} onNick */
  constructor(onNick, onClose) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      onNick(this.#field.value.trim());
    });
    this.#offer.addEventListener("click", () => onNick(this.#offer.value));
    byId("entry-close").addEventListener("click", () => {
      this.hide();
      onClose();
    });
  }

  get isOpen() {
    return !this.#form.hidden;
  }

  ask(me, hint = `or just write: you are ${me}`) {
    this.#form.hidden = false;
    this.#hint.textContent = hint;
    this.#hint.classList.remove("bad");
    this.#offer.hidden = true;
  }

  focus() {
    this.#field.focus();
  }

  refused(nick, error) {
    const taken = error.code === "nick_taken" && !/^guest-/i.test(nick); // guests' names are the server's to give
    const free = taken && nextName(nick);
    this.ask("", taken ? `${nick} is taken.` : error.text);
    this.#hint.classList.add("bad");
    this.#field.value = nick;
    this.#offer.hidden = !free;
    this.#offer.value = free || "";
    this.#offer.textContent = `Take ${free}`;
  }

  hide() {
    this.#form.hidden = true;
  }
}

/** "ana" -> "ana2", "ana2" -> "ana3"; at most 32 characters. */
function nextName(nick) {
  const [, stem, number] = /^(.*?)(\d*)$/.exec(nick);
  const next = String(Number(number || 1) + 1);
  return [...stem].slice(0, 32 - next.length).join("") + next;
}

/** The connection in words: in the bar, and as a banner while there is something to wait for or to decide. */
class Status {
  #line = byId("status");
  #banner = byId("banner");
  #text = byId("banner-text");
  #button = byId("banner-button");
  #timer = 0;

  /** @param {() => void} onPress  the person wants the connection now */
  constructor(onPress) {
    this.#button.addEventListener("click", onPress);
  }

  /** @param {import("./connection.js").State} state */
  show(state) {
    clearInterval(this.#timer);
    const words = { connecting: "connecting", connected: "connected", waiting: "offline", ended: "disconnected" };
    this.#line.dataset.state = state.word;
    this.#line.firstElementChild.textContent = words[state.word];
    this.#banner.hidden = state.word === "connected" || (state.word === "connecting" && this.#banner.hidden);
    this.#banner.dataset.state = state.word;
    if (state.word === "connecting") this.#text.textContent = "Connecting… What you send is kept.";
    if (state.word === "waiting") {
      this.#button.textContent = "Try now";
      this.#count(state);
      this.#timer = setInterval(() => this.#count(state), 1_000);
    }
    if (state.word === "ended") [this.#text.textContent, this.#button.textContent] = ending(state);
  }

  #count({ code, reason, until }) {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000));
    const full = reason?.startsWith("busy: ") ? `Not now: ${reason.slice(6)}` : "The server is full";
    const known = { 4001: "The server is leaving", 4013: full };
    const why = known[code] ?? (code >= 4000 && reason ? `Offline: ${reason}` : "Offline");
    this.#text.textContent = `${why}. Retrying in ${seconds} s. What you send is kept.`;
  }
}

/** @returns {[string, string]} what happened, and what the button offers */
function ending({ code, reason: words }) {
  const reason = words.replace(/^(kicked|banned)(: |$)/, "");
  const because = reason ? `: ${reason}` : "";
  if (code === 1000) return ["You have left.", "Come back"];
  if (code === 4500) return [`You were kicked${because}.`, "Rejoin"];
  if (code === 4501) return [`You are banned${because}.`, "Try again"];
  if (code === 4503) return [`You have no right to be here${because}.`, "Try again"];
  if (code === 4504) return ["Too many connections come from your address.", "Try again"];
  if (code === 4505) return ["This session goes on in another tab.", "Use here"];
  return [`The server ended the session${because}.`, "Try again"];
}

/** What came in while nobody looked: the number in the title, the dot in the icon. */
class Unread {
  #title = document.title;
  #icon = byId("icon");
  #quiet = this.#icon.getAttribute("href");
  #count = 0;

  /** @param {() => void} onSeen  the page is looked at again */
  constructor(onSeen) {
    addEventListener("focus", () => {
      this.#set(0);
      onSeen();
    });
  }

  /** @returns {boolean} whether this is the first that nobody saw */
  add() {
    if (!document.hidden && document.hasFocus()) return false;
    this.#set(this.#count + 1);
    return this.#count === 1;
  }

  #set(count) {
    this.#count = count;
    document.title = count ? `(${count}) ${this.#title}` : this.#title;
    this.#icon.href = count ? this.#icon.dataset.unread : this.#quiet;
  }
}

/**
 * The token and the nick of this tab; of a new tab those that the last one left behind when it was closed, for the server
 * keeps a nick for its token. Two open tabs never share a token: the later would replace the earlier.
 */
function whoIWas() {
  const token = recall("sessionStorage", "token");
  const [left, itsNick] = (recall("localStorage", "left") ?? "").split(" ");
  if (!token || token === left) remember("localStorage", "left", "");
  return { token: token || left || null, nick: recall("sessionStorage", "nick") || itsNick || recall("localStorage", "nick") };
}

class Page {
  #me = "guest";
  #was = whoIWas();
  #wanted = this.#was.nick;
  #asked = ""; // the id of a nick request under way
  #token = this.#was.token;
  #replayedTo = 0; // messages up to here are of the past
  #catchingUp = false;
  #knownFrom = 0; // all messages from here on have come
  #people = new People(
    () => this.#me,
    (nick) => (nick === this.#me ? this.#askForName() : this.#composer.mention(nick)),
  );
  #unread = new Unread(() => setTimeout(() => this.#seen(), SEEN_AFTER));
  #status = new Status(() => this.#connection.open());
  #entry = new Entry(
    (nick) => this.#rename(nick),
    () => this.#composer.focus(),
  );
  #log = new Log((fields) => this.#connection.send({ type: "history", room, ...fields }));
  #composer = new Composer(
    room,
    (text) => this.#say(text),
    () => [...new Set([...this.#log.speakers(), ...this.#people.nicks()])].filter((nick) => nick !== this.#me),
  );
  #outbox = new Outbox(
    room,
    () => this.#me,
    () => this.#log.place,
    (object) => this.#connection.send(object),
    (text) => this.#composer.edit(text),
    () => this.#log.keepView(),
  );
  #connection = new Connection(
    () => this.#hello(),
    (state) => this.#stateChanged(state),
    (object) => this.#take(object),
  );

  start() {
    if (!this.#wanted) this.#entry.ask(this.#me);
    byId("page-link").textContent = location.origin + location.pathname;
    byId("me").addEventListener("click", () => {
      if (this.#entry.isOpen) return this.#entry.hide();
      this.#askForName();
    });
    document.addEventListener("click", (event) => this.#clicked(event.target));
    document.addEventListener("keydown", (event) => this.#pressed(event));
    document.addEventListener("visibilitychange", () => document.hidden || this.#connection.wake());
    addEventListener("pagehide", () => {
      if (this.#token) remember("localStorage", "left", `${this.#token} ${this.#wanted ?? ""}`);
    });
    addEventListener("online", () => this.#connection.wake());
    addEventListener("pageshow", (event) => event.persisted && this.#connection.wake());
    this.#connection.open();
    if (wide.matches) this.#composer.focus();
  }

  #hello() {
    return {
      ...(this.#wanted && { nick: this.#wanted }),
      ...(this.#token && { token: this.#token }),
      rooms: [{ room, ...this.#log.resume }],
    };
  }

  #stateChanged(state) {
    this.#status.show(state);
    if (state.word !== "connected") this.#outbox.closed();
  }

  /** The line "new since" has done its work when its end has been in sight for a while. */
  #seen() {
    if (document.hasFocus() && this.#log.atEnd) this.#log.clearUnread();
  }

  #say(text) {
    this.#log.clearUnread();
    this.#outbox.add(text);
    this.#log.toEnd();
  }

  #askForName() {
    this.#entry.ask(this.#me);
    this.#entry.focus();
  }

  #rename(nick) {
    if (!nick) return;
    this.#wanted = nick;
    this.#asked = `nick-${Date.now()}`;
    if (!this.#connection.send({ type: "nick", id: this.#asked, nick })) this.#asked = "";
  }

  #iAm(nick) {
    if (nick === this.#me) return;
    this.#me = nick;
    byId("my-nick").textContent = nick;
    if (nick === this.#wanted || !nick.startsWith("guest-")) {
      this.#wanted = nick;
      for (const storage of ["localStorage", "sessionStorage"]) remember(storage, "nick", nick);
      const inside = byId("entry").contains(document.activeElement);
      this.#entry.hide();
      if (inside) this.#composer.focus();
    } else if (this.#entry.isOpen) this.#entry.ask(nick);
  }

  #take(object) {
    const elsewhere = object.room !== undefined && object.room !== room;
    if (object.type === "joined" && elsewhere) location.assign(`/r/${encodeURIComponent(object.room)}`);
    if (elsewhere && object.id === undefined) return;
    this[`_${object.type}`]?.(object);
  }

  // One method per type of object that the server sends; what is not here needs no doing.

  _welcome({ nick, token = null }) {
    this.#token = token;
    remember("sessionStorage", "token", token);
    this.#iAm(nick);
    this.#catchingUp = true;
  }

  _joined(event) {
    this.#replayedTo = event.head;
    this.#people.joined(event);
    this.#topic(event.topic);
    this.#log.joined(event);
    if (event.recovered) {
      this.#knownFrom = this.#log.head + 1;
      if (event.head <= this.#log.head) this.#caughtUp();
    } else if (!this.#catchingUp) this.#connection.send({ type: "history", room }); // a new epoch brings none by itself
  }

  _msg(message) {
    const isNew = this.#log.add(message, this.#me);
    if (this.#catchingUp) this.#missed(message);
    if (isNew && message.seq > this.#replayedTo && message.nick !== this.#me && !this.#log.isOwn(message.seq)) {
      if (this.#unread.add()) this.#log.markUnread(message.seq);
    }
    if (this.#catchingUp && message.seq >= this.#replayedTo) this.#caughtUp();
  }

  _gap({ to }) {
    this.#knownFrom = Math.max(this.#knownFrom, to + 1);
    if (this.#catchingUp && to >= this.#replayedTo) this.#caughtUp();
  }

  _history(event) {
    this.#log.history(event, this.#me);
    if (!this.#catchingUp) return;
    for (const message of event.messages) this.#missed(message);
    this.#knownFrom = event.more ? event.messages[0].seq : 1;
    this.#caughtUp();
  }

  #missed(message) {
    if (!this.#log.isOwn(message.seq)) this.#outbox.missed(message, this.#log.epoch);
  }

  #caughtUp() {
    this.#catchingUp = false;
    this.#outbox.opened(this.#token, this.#log.epoch, this.#knownFrom);
  }

  _ack({ id, seq }) {
    if (seq !== undefined) this.#log.acknowledged(seq);
    this.#outbox.answered(id);
  }

  _presence(event) {
    const known = new Set(this.#people.nicks()); // who was here before us has not just come
    this.#people.changed(event);
    const joined = event.joined.filter(({ nick }) => !known.has(nick));
    const renamed = event.renamed.filter(({ to }) => to !== this.#me); // we have been told
    this.#log.presence({ ...event, joined, renamed }, this.#me);
  }

  _private(event) {
    this.#log.whisper(event, this.#me);
    if (event.from !== this.#me) this.#unread.add();
  }

  _notice({ id, text, topic, nick }) {
    if (topic !== undefined) this.#topic(topic);
    if (nick !== undefined) this.#iAm(nick);
    if (id === undefined || id !== this.#asked) this.#log.note("notice", text);
    this.#outbox.answered(id);
  }

  _error(error) {
    if (error.code === "token_invalid") return; // we are somebody new, and have asked for our old nick
    if (error.id === undefined) this.#log.refused();
    const aboutNick = error.code === "nick_taken" || error.code === "nick_invalid";
    if (aboutNick && (error.id === undefined || error.id === this.#asked)) {
      this.#entry.refused(this.#wanted ?? "", error);
      this.#wanted = this.#me.startsWith("guest") ? null : this.#me;
    } else if (error.id === undefined || !this.#outbox.refused(error)) {
      this.#log.note("error", `${error.code}: ${error.text}`);
    }
  }

  #topic(topic) {
    byId("topic").textContent = byId("topic").title = topic;
  }

  /** Copy buttons anywhere; a click beside the sheet of people closes it. */
  #clicked(target) {
    if (target.dataset.copy !== undefined) copy(target);
    if (this.#people.isSheet && !target.closest("#people, #people-button")) this.#people.show(false);
  }

  /** Esc closes what is open; letters typed anywhere go to the box. */
  #pressed(event) {
    if (event.key === "Escape") {
      if (this.#people.isSheet) this.#people.show(false, true);
      else if (this.#entry.isOpen) this.#entry.hide();
      else this.#log.clearUnread();
    }
    const bare = !event.ctrlKey && !event.altKey && !event.metaKey;
    const loose = event.target === document.body || event.target === byId("scroller");
    if (loose && bare && event.key.length === 1 && event.key !== " ") this.#composer.focus();
  }
}

/** Copies what a copy button stands for: the element it names, or the code block it stands in. */
async function copy(button) {
  const source = button.dataset.copy ? byId(button.dataset.copy) : button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    getSelection().selectAllChildren(source); // no clipboard without TLS: select, then the old way
    document.execCommand("copy");
  }
  button.textContent = "copied";
  setTimeout(() => (button.textContent = "copy"), 2_000);
}

new Page().start();
