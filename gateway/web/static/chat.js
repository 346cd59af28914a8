/**
 * The chat page: puts the connection, the rooms with their logs, the box and the people together.
 *
 * What is true here:
 * - One session in several rooms, of which one is on the page (#room). The address is that room's.
 * - Coming back: the server tells `joined` for each room, then either what was missed, message by message, or the latest
 *   as one history. Only when all of that is here (#caughtUp) do the room's lines go out again: by then it is known which
 *   of ours had arrived.
 * - Settings, palette, keys and notifications are fetched when they are first wanted; each gets the page. What the first
 *   load needs is in four long files, for it may make six requests.
 */

import { Composer, Outbox } from "./composer.js";
import { Connection, Status } from "./connection.js";
import { Log, doorOf, ignore, isIgnored, make, mentions, nickOf, recall, remember, settings } from "./log.js";

const byId = (id) => document.getElementById(id);
const wide = matchMedia("(min-width: 900px)");
const SEEN_AFTER = 3_000;
const number = (n) => n.toLocaleString("en");

const theme = recall("localStorage", "theme"); // shared with the dashboard
Object.assign(settings, JSON.parse(recall("localStorage", "settings") ?? "{}"), theme && { theme });

/** Who is in the room on the page: the panel, the counts in the bar. */
class People {
  #panel = byId("people");
  #list = byId("members");
  #button = byId("people-button");
  #inOrder = new Intl.Collator().compare;

  /** @param {(nick: string) => void} onPick  a name was pressed */
  constructor(onPick) {
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
    this.#button.ariaExpanded = String(open);
    if (focus && !wide.matches) (open ? byId("people-close") : this.#button).focus();
  }

  get isSheet() {
    return !this.#panel.hidden && !wide.matches;
  }

  /** Shows these. Rows that stay are not touched, so that none moves under the pointer without need. */
  draw({ doors, count }, me) {
    const rows = new Map();
    for (const row of [...this.#list.children]) {
      const { nick, door, mine } = row.dataset;
      if (doors.get(nick) === door && (mine === "") === (nick === me)) rows.set(nick, row);
      else row.remove();
    }
    let next = this.#list.firstElementChild;
    for (const nick of [...doors.keys()].sort(this.#inOrder)) {
      const row = rows.get(nick) ?? this.#row(nick, doors.get(nick), nick === me);
      if (row === next) next = next.nextElementSibling;
      else this.#list.insertBefore(row, next);
    }
    this.#tell(doors, count);
  }

  #row(nick, door, mine) {
    const row = make("li");
    Object.assign(row.dataset, { nick, door }, mine && { mine: "" });
    const name = make("button", "quiet");
    name.type = "button";
    name.append(nickOf(nick));
    if (mine) name.append(make("span", "muted", "you"));
    if (door) name.append(doorOf(door, door === "web" ? "web" : `terminal, ${door}`));
    row.append(name);
    return row;
  }

  #tell(doors, count) {
    const web = [...doors.values()].filter((door) => door === "web").length;
    const complete = count === doors.size;
    const parts = [web && `${web} web`, count - web && `${count - web} terminal`];
    const tally = complete ? parts.filter(Boolean).join(", ") : "";
    byId("count").textContent = `${number(count)} here`;
    byId("doors").textContent = tally;
    byId("first").textContent = count > 1 ? "Nothing has been said here yet." : "You are the first here.";
    byId("people-title").textContent = `${number(count)} here`;
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

/** What this page knows of one room, and what it does with what it is told of it. */
class Room {
  topic = "";
  doors = new Map(); // nick -> door
  count = 0;
  unread = 0;
  asked = ""; // the id of the request to be let in, while that is not answered
  #page;
  #replayedTo = 0; // messages up to here are of the past
  #catchingUp = true;
  #knownFrom = 0; // all messages from here on have come

  /** @param {Page} page */
  constructor(name, page) {
    this.name = name;
    this.#page = page;
    this.log = new Log(name, (fields) => page.send({ type: "history", room: name, ...fields }));
    this.outbox = new Outbox(
      name,
      () => page.me,
      () => this.log.place,
      (object) => page.send(object),
      (text) => page.composer.edit(text),
      () => this.log.keepView(),
    );
  }

  /** A connection begins: what comes is what was missed. */
  reconnect() {
    this.#catchingUp = true;
  }

  // One method per type of object that the server sends about a room.

  _joined(event) {
    this.asked = "";
    this.#replayedTo = event.head;
    this.doors = new Map(event.members.map(({ nick, door }) => [nick, door]));
    this.count = event.count;
    this.topic = event.topic;
    this.log.joined(event);
    if (event.recovered) {
      this.#knownFrom = this.log.head + 1;
      if (event.head <= this.log.head) this.#caughtUp();
    } else if (!this.#catchingUp) this.#page.send({ type: "history", room: this.name }); // a new epoch brings none by itself
    this.#page.changed(this);
  }

  _msg(message) {
    const isNew = this.log.add(message, this.#page.me);
    if (this.#catchingUp) this.#missed(message);
    const own = message.nick === this.#page.me || this.log.isOwn(message.seq);
    if (isNew && !own && message.seq > this.#replayedTo && !isIgnored(message.nick)) this.#page.heard(this, message);
    if (this.#catchingUp && message.seq >= this.#replayedTo) this.#caughtUp();
  }

  _gap(event) {
    this.log.gap(event);
    this.#knownFrom = Math.max(this.#knownFrom, event.to + 1);
    if (this.#catchingUp && event.to >= this.#replayedTo) this.#caughtUp();
  }

  _history(event) {
    this.log.history(event, this.#page.me);
    if (!this.#catchingUp) return;
    for (const message of event.messages) this.#missed(message);
    this.#knownFrom = event.more ? event.messages[0].seq : 1;
    this.#caughtUp();
  }

  _presence({ joined = [], left = [], renamed = [], count }) {
    const news = {
      left,
      joined: joined.filter(({ nick }) => !this.doors.has(nick)), // who was here before us has not just come
      renamed: renamed.filter(({ to }) => to !== this.#page.me), // we have been told
    };
    for (const nick of left) this.doors.delete(nick);
    for (const { from, to } of renamed) {
      this.doors.set(to, this.doors.get(from) ?? "");
      this.doors.delete(from);
    }
    for (const { nick, door } of joined) this.doors.set(nick, door);
    this.count = count;
    this.log.presence(news, this.#page.me);
    this.#page.changed(this);
  }

  #missed(message) {
    if (!this.log.isOwn(message.seq)) this.outbox.missed(message, this.log.epoch);
  }

  #caughtUp() {
    this.#catchingUp = false;
    this.outbox.opened(this.#page.token, this.log.epoch, this.#knownFrom);
  }
}

const addressOf = (room) => (room === "lobby" ? "/" : `/r/${room}`);
const roomAt = ({ pathname }) => decodeURIComponent(pathname.slice("/r/".length)).toLowerCase() || "lobby";

export class Page {
  me = "guest";
  #was = whoIWas();
  #wanted = this.#was.nick;
  #asked = ""; // the id of a nick request under way
  token = this.#was.token;
  #icon = byId("icon");
  #quiet = this.#icon.getAttribute("href");
  #unmute = 0;
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
  /** @type {Map<string, Room>} */
  rooms = new Map();
  /** The one on the page. */
  room = this.#firstRoom();

  start() {
    this.#show(this.room);
    if (!this.#wanted) this.#entry.ask(this.me);
    byId("me").addEventListener("click", () => (this.#entry.isOpen ? this.#entry.hide() : this.#askForName()));
    byId("settings-button").addEventListener("click", () => this.open("settings"));
    byId("unmute").addEventListener("click", () => this.#speak());
    byId("rooms").addEventListener("click", (event) => this.#pickRoom(event));
    byId("scroller").addEventListener("focusin", () => this.fetch("walking"), { once: true });
    document.addEventListener("click", (event) => this.#clicked(event.target));
    document.addEventListener("keydown", (event) => this.#pressed(event));
    document.addEventListener("visibilitychange", () => document.hidden || this.#connection.wake());
    addEventListener("popstate", () => this.#visit(roomAt(location)));
    addEventListener("focus", () => this.#looked());
    addEventListener("pagehide", () => {
      if (this.token) remember("localStorage", "left", `${this.token} ${this.#wanted ?? ""}`);
    });
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

  /** Nicks, the latest speakers first, without our own. */
  nicks() {
    return [...new Set([...this.room.log.speakers(), ...this.room.doors.keys()])].filter((nick) => nick !== this.me);
  }

  /** Goes to a room; joins it if need be. */
  go(name) {
    const from = this.room;
    this.#visit(name);
    if (this.room !== from) history.pushState(null, "", addressOf(name));
  }

  #visit(name) {
    const asked = !this.rooms.has(name) && `join-${Date.now()}`;
    if (asked && !this.send({ type: "join", room: name, id: asked })) {
      this.room.log.note("error", `You are offline: ${name} cannot be joined now.`);
    } else if (name !== this.room.name) {
      const room = this.#enter(name);
      room.asked = asked;
      this.#show(room);
    }
  }

  /** The room that was asked for does not let us in. */
  #turnedAway(room, error) {
    this.leave(room);
    this.room.log.note("error", `${room.name}: ${error.text}`);
  }

  leave(room) {
    if (this.rooms.size === 1) return;
    if (!room.asked) this.send({ type: "part", room: room.name });
    if (room === this.room) this.#step(1);
    this.rooms.delete(room.name);
    this.#drawRooms();
  }

  /** Fetches a part of the page that is not needed at first. */
  async fetch(part) {
    try {
      return await import(`./${part}.js`);
    } catch {
      this.room.log.note("error", "This part of the page cannot be loaded now. If that lasts, reload the page.");
      return null;
    }
  }

  async open(dialog) {
    (await this.fetch(dialog))?.open(this);
  }

  /** The person has chosen otherwise, or nobody has and `value` is empty: the default. */
  set(name, value) {
    if (value) settings[name] = value;
    else delete settings[name];
    const { theme, ...others } = settings;
    remember("localStorage", "theme", theme);
    remember("localStorage", "settings", JSON.stringify(others));
    for (const room of this.rooms.values()) room.log.restyle();
  }

  /** Leaves nothing of the person in this browser, and begins anew. */
  forget() {
    this.token = null;
    localStorage.clear();
    sessionStorage.clear();
    location.reload();
  }

  /** Somebody in a room, or something about it, has changed. */
  changed(room) {
    if (room !== this.room) return;
    this.#people.draw(room, this.me);
    byId("topic").textContent = byId("topic").title = room.topic;
  }

  /** Somebody has just said something. */
  heard(room, { seq, nick, text }) {
    if (room === this.room && !document.hidden && document.hasFocus()) return;
    room.unread += 1;
    room.log.markUnread(seq);
    this.#drawRooms();
    if (mentions(text, this.me)) this.#notify(room, nick, text);
  }

  async #notify(room, nick, text) {
    if (settings.notify && document.hidden) (await this.fetch("notices"))?.notify(nick, text, () => this.go(room.name));
  }

  /** The address's room, among those that were open before the page was loaded anew. */
  #firstRoom() {
    for (const name of JSON.parse(recall("sessionStorage", "rooms") ?? "[]")) this.#enter(name);
    return this.#enter(document.body.dataset.room);
  }

  #enter(name) {
    if (!this.rooms.has(name)) this.rooms.set(name, new Room(name, this));
    return this.rooms.get(name);
  }

  #show(room) {
    this.room = room;
    room.log.show();
    room.outbox.show();
    this.composer.enter(room.name);
    byId("room-name").textContent = room.name;
    byId("page-link").textContent = location.origin + addressOf(room.name);
    const join = byId("empty-join"); // absent where there is no door for terminals
    if (join) join.hidden = room.name === "lobby";
    if (join) join.lastElementChild.textContent = `/join ${room.name}`;
    this.changed(room);
    this.#looked();
  }

  #looked() {
    if (document.hasFocus()) this.room.unread = 0;
    this.#drawRooms();
    setTimeout(() => this.#seen(), SEEN_AFTER);
  }

  /** The line "new since" has done its work when its end has been in sight for a while. */
  #seen() {
    if (document.hasFocus() && this.room.log.atEnd) this.room.log.clearUnread();
  }

  /** The rooms, where there are several; the number in the title, the dot in the icon. */
  #drawRooms() {
    const all = [...this.rooms.values()];
    remember("sessionStorage", "rooms", all.length > 1 ? JSON.stringify([...this.rooms.keys()]) : "");
    byId("rooms").hidden = all.length < 2;
    byId("rooms").replaceChildren(...all.map((room) => this.#tab(room)));
    const unread = all.reduce((sum, room) => sum + room.unread, 0);
    document.title = `${unread ? `(${unread}) ` : ""}${this.room.name} · gateway`;
    this.#icon.href = unread ? this.#icon.dataset.unread : this.#quiet;
  }

  #tab(room) {
    const tab = make("span", "tab");
    const link = make("a", "", `#${room.name}`);
    link.href = addressOf(room.name);
    tab.append(link);
    if (room.unread) link.append(" ", make("b", "", number(room.unread)), make("span", "aloud", " new"));
    if (room !== this.room) return tab;
    link.ariaCurrent = "page";
    const leave = make("button", "quiet", "✕");
    leave.type = "button";
    leave.ariaLabel = `Leave ${room.name}`;
    tab.append(leave);
    return tab;
  }

  #pickRoom(event) {
    if (event.target.closest("button")) return this.leave(this.room);
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.go(roomAt(link));
  }

  /** To the next room by so many, or only among those with something new. */
  #step(by, among = () => true) {
    const all = [...this.rooms.values()];
    const at = all.indexOf(this.room);
    const others = [...all.slice(at + 1), ...all.slice(0, at)].filter(among);
    if (others.length) this.go(others.at(by > 0 ? 0 : -1).name);
  }

  #hello() {
    for (const room of this.rooms.values()) room.reconnect();
    const others = [...this.rooms.values()].filter((room) => room !== this.room);
    return {
      ...(this.#wanted && { nick: this.#wanted }),
      ...(this.token && { token: this.token }),
      rooms: [this.room, ...others].map((room) => ({ room: room.name, ...room.log.resume })),
    };
  }

  #stateChanged(state) {
    this.#status.show(state);
    if (state.code === 4501) this.composer.close("You are banned: this room can only be read.");
    if (state.word === "connected" && !this.#unmute) this.composer.open();
    if (state.word === "connected") return;
    for (const room of this.rooms.values()) room.outbox.closed();
  }

  #say(text) {
    const [, verb, nick] = /^\/(ignore|unignore)(?:\s+@?(\S+))?\s*$/i.exec(text) ?? [];
    if (nick) {
      ignore(nick, verb.toLowerCase() === "ignore");
      for (const room of this.rooms.values()) room.log.restyle();
      this.room.log.note("notice", isIgnored(nick) ? `${nick} is not shown: /unignore ${nick}` : `${nick} is shown again`);
      return;
    }
    const [, other] = /^\/join\s+#?([a-z0-9][\w.-]{0,63})\s*$/i.exec(text) ?? [];
    if (other) return this.go(other.toLowerCase()); // at once: what is typed next is for that room
    this.room.log.clearUnread();
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
      for (const storage of ["localStorage", "sessionStorage"]) remember(storage, "nick", nick);
      const inside = byId("entry").contains(document.activeElement);
      this.#entry.hide();
      if (inside) this.composer.focus();
    } else if (this.#entry.isOpen) this.#entry.ask(nick);
  }

  #take(object) {
    const isNew = object.type === "joined" && !this.rooms.has(object.room);
    const room = isNew ? this.#enter(object.room) : this.rooms.get(object.room);
    const verb = `_${object.type}`;
    if (isNew) this.go(object.room);
    if (verb in Room.prototype) room?.[verb](object);
    else this[verb]?.(object, room ?? this.room);
  }

  // One method per type of object that is not about a room alone; what is not here needs no doing.

  _welcome({ nick, token = null, server }) {
    this.token = token;
    remember("sessionStorage", "token", token);
    this.#iAm(nick);
    if (server.version !== document.body.dataset.version) {
      this.#status.offer("There is a new version of this page. What you typed is kept.", "Reload", () => location.reload());
    }
  }

  _ack({ id, seq }, room) {
    if (seq !== undefined) room.log.acknowledged(seq);
    this.#answered(id);
  }

  #answered(id) {
    for (const room of this.rooms.values()) room.outbox.answered(id);
  }

  _private(event) {
    if (isIgnored(event.from)) return;
    this.room.log.whisper(event, this.me);
    if (event.from === this.me || (!document.hidden && document.hasFocus())) return;
    this.room.unread += 1;
    this.#drawRooms();
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
    if (error.code === "token_invalid") return; // we are somebody new, and have asked for our old nick
    if (error.code === "muted") this.#muted(error);
    const closed = error.id && [...this.rooms.values()].find((each) => each.asked === error.id);
    if (closed) return this.#turnedAway(closed, error);
    if (error.id === undefined) for (const each of this.rooms.values()) each.log.refused();
    const aboutNick = error.code === "nick_taken" || error.code === "nick_invalid";
    if (aboutNick && (error.id === undefined || error.id === this.#asked)) {
      this.#entry.refused(this.#wanted ?? "", error);
      this.#wanted = this.me.startsWith("guest") ? null : this.me;
    } else if (error.id === undefined || ![...this.rooms.values()].some((each) => each.outbox.refused(error))) {
      room.log.note("error", `${error.code}: ${error.text}`);
    }
  }

  /** Nothing can be said until the end, which the server tells if there is one. */
  #muted({ text, retry_ms: left }) {
    this.composer.close(`You are muted ${text}`);
    clearTimeout(this.#unmute);
    this.#unmute = setTimeout(() => this.#speak(), Math.min(left ?? Infinity, 2 ** 31 - 1));
  }

  /** The box is there again. What is true, the server says when something is sent. */
  #speak() {
    clearTimeout(this.#unmute);
    this.#unmute = 0;
    this.composer.open();
  }

  /** Copy buttons anywhere; a click beside the sheet of people closes it. */
  async #clicked(target) {
    if (target.dataset.copy !== undefined) (await this.fetch("copying"))?.copy(target);
    if (this.#people.isSheet && !target.closest("#people, #people-button")) this.#people.show(false);
  }

  #pressed(event) {
    if (document.querySelector("dialog[open]")) return;
    const key = event.altKey && event.code === "KeyA" ? "a" : event.key.replace(/^.$/, (one) => one.toLowerCase());
    const name = [event.ctrlKey || event.metaKey ? "Ctrl" : "", event.altKey ? "Alt" : "", key].filter(Boolean).join("+");
    const shortcuts = {
      "Ctrl+k": () => this.open("palette"),
      "Ctrl+/": () => this.open("keylist"),
      "Alt+ArrowUp": () => this.#step(-1),
      "Alt+ArrowDown": () => this.#step(1),
      "Alt+a": () => this.#step(1, (room) => room.unread),
      F6: () => this.#nextRegion(event.shiftKey ? -1 : 1),
      PageUp: () => this.#scroll(-1),
      PageDown: () => this.#scroll(1),
    };
    if (name === "Escape") this.#escape();
    else if (shortcuts[name] && (!name.startsWith("Page") || event.target.id === "message")) {
      event.preventDefault();
      shortcuts[name]();
    } else if (name.length === 1 && name !== " ") {
      const loose = event.target === document.body || (byId("scroller").contains(event.target) && !event.target.closest("button"));
      if (loose) this.composer.focus();
    }
  }

  /** Esc closes what is open, or takes the line "new since" away and goes back to the box. */
  #escape() {
    if (this.#people.isSheet) this.#people.show(false, true);
    else if (this.#entry.isOpen) this.#entry.hide();
    else {
      this.room.log.clearUnread();
      this.composer.focus();
    }
  }

  #scroll(by) {
    byId("scroller").scrollBy(0, by * 0.9 * byId("scroller").clientHeight);
  }

  /** Goes to the next part of the page, where its first thing to press gets the focus. */
  async #nextRegion(by) {
    const parts = [".bar", "#rooms", "#scroller", "#composer", "#people"].map((one) => document.querySelector(one));
    const shown = parts.filter((one) => one.checkVisibility());
    const next = shown.at((shown.findIndex((one) => one.contains(document.activeElement)) + by) % shown.length);
    if (next.id === "scroller") await this.fetch("walking");
    if (next.id === "composer") this.composer.focus();
    else (next.matches("[tabindex]") ? next : next.querySelector("a, li button, .bar button")).focus();
  }
}

new Page().start();
