/**
 * A room's log: rows in the order of their numbers, and the view on them. The page shows one room's log at a time; the
 * others go on growing out of sight.
 *
 * What is true here:
 * - A message is known by its number; the epoch is one for the whole list. A new epoch starts the list anew.
 * - Numbers have no holes, so two neighbours further apart than one show what was not sent to us. Holes, days and "same
 *   author as above" are worked out from the neighbours (#settle) and never stored.
 * - Notices, joins and private messages have no number. They stay behind the row they came after.
 * - The view follows the end only when it is near it. Otherwise no change moves what the person is reading: the first
 *   visible row (#anchor) is put back where it was.
 * - At most 1,000 rows. At the end, the oldest go. While older ones are being read, the newest go or are not added, and
 *   then (#detached) new messages are only counted until the person goes back to the end.
 * - Read aloud is what others say as it comes: neither own lines, nor joins, nor what is loaded. Of more than five
 *   within two seconds only the number.
 */

const MOST_ROWS = 1_000;
const TRIMMED = 50; // at once, so that a full log is not measured at every line
const NEAR = 40; // px from the end
const SAME_AUTHOR = 5 * 60_000;
const PAGE = 100;
const EDGE = 200; // px from the first or the last row, where more is fetched
const NAMES_SHOWN = 8;
const BURST = 5; // messages in BURST_TIME that are still read aloud one by one
const BURST_TIME = 2_000;

/** The settings stand as data-* on <html>, where style sheets see them too; what is absent is the default. */
export const settings = document.documentElement.dataset;

const clocks = {
  24: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }),
  12: new Intl.DateTimeFormat("en-US", { hour: "numeric", minute: "2-digit" }),
};
/** A moment as the person wants times written. */
export const clock = (ts) => clocks[settings.clock ?? 24].format(ts);
const calendar = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });

/** An element with a class and a text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Reads a stored value; a browser that refuses storage has none. */
export function recall(storage, key) {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

/** Stores a value, or takes it away when it is empty. */
export function remember(storage, key, value) {
  try {
    if (value) window[storage].setItem(key, value);
    else window[storage].removeItem(key);
  } catch {
    // Full or refused: the page works on without it.
  }
}

/** Those whose words are not shown, in lower case. */
const ignored = new Set(JSON.parse(recall("localStorage", "ignored") ?? "[]"));
export const isIgnored = (nick) => ignored.has(nick.toLowerCase());

/** Shows somebody's words no more, or again. */
export function ignore(nick, on) {
  if (on) ignored.add(nick.toLowerCase());
  else ignored.delete(nick.toLowerCase());
  remember("localStorage", "ignored", ignored.size ? JSON.stringify([...ignored]) : "");
}

/** A nick in its hue: one of ten, by FNV-1a of the lowercased name. */
export function nickOf(nick) {
  let hash = 0x811c9dc5;
  for (const character of nick.toLowerCase()) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  const element = make("bdi", "nick", nick);
  element.dataset.hue = (hash >>> 0) % 10;
  return element;
}

/** The mark of a door: its glyph is drawn by the style sheet, its word is for reading aloud. */
export function doorOf(door, word = door) {
  const element = make("span", "door");
  element.dataset.door = door;
  element.title = word;
  element.append(make("span", "aloud", ` (${word})`));
  return element;
}

const FENCE = /```(?:[\w+#-]*\n)?([\s\S]+?)\n?```\n?/;
const SPECIAL = /(`[^`\n]+`)|((?:https?:\/\/|mailto:)[^\s<>"`]+)/i;
const SAFE = new Set(["http:", "https:", "mailto:"]);
/** Marks upon marks on one letter: they stay in their own row. */
const PILED = /\p{M}{3}/u;

/** The text of a message: code blocks, code, links; all else as it stands, with `me` in bold. */
export function body(text, me = "") {
  const element = make("div", "text");
  element.dir = "auto";
  element.classList.toggle("piled", PILED.test(text));
  text.split(FENCE).forEach((part, at) => {
    if (at % 2) element.append(codeBlock(part));
    else prose(element, at ? part : part.replace(/\n$/, ""), me);
  });
  return element;
}

function codeBlock(code) {
  const block = make("div", "code");
  const copy = make("button", "quiet", "copy");
  copy.type = "button";
  copy.dataset.copy = "";
  const pre = make("pre");
  pre.tabIndex = 0; // it may be wider than the page: the keyboard must be able to scroll it
  pre.append(make("code", "", code));
  block.append(pre, copy);
  return block;
}

let ownName = [];
/** A pattern that finds the nick `me` as a word. */
function named(me) {
  if (ownName[0] !== me) {
    ownName = [me, new RegExp(`(?<![\\p{L}\\p{N}])(${me.replaceAll(".", "\\.")})(?![\\p{L}\\p{N}])`, "iu")];
  }
  return ownName[1];
}

export const mentions = (text, me) => named(me).test(text);

function prose(element, text, me) {
  const own = me && named(me);
  // split() gives plain text, code or undefined, link or undefined, plain text, …
  text.split(SPECIAL).forEach((part, at) => {
    if (!part) return;
    if (at % 3 === 1) element.append(make("code", "", part.slice(1, -1)));
    else if (at % 3 === 2) element.append(...link(part));
    else if (own) part.split(own).forEach((piece, odd) => element.append(odd % 2 ? make("b", "", piece) : piece));
    else element.append(part);
  });
}

/**
 * A link and what follows it; the text as it stands where it is no address, or hides its host behind a user name. Where
 * it leads is added when the text does not show it: letters of other scripts, numbers written oddly.
 */
function link(found) {
  let end = found.length;
  while (/[.,;:!?'*]/.test(found[end - 1]) || (found[end - 1] === ")" && !found.slice(0, end).includes("("))) end -= 1;
  const text = found.slice(0, end);
  if (!URL.canParse(text)) return [found];
  const url = new URL(text);
  if (!SAFE.has(url.protocol) || url.username || url.password) return [found];
  const anchor = make("a", "", text);
  anchor.href = url.href;
  anchor.rel = "noopener noreferrer";
  anchor.target = "_blank";
  const shown = text.toLowerCase().includes(`//${url.host}`) || url.protocol === "mailto:";
  return [anchor, ...(shown ? [] : [make("span", "host", ` [${url.host}]`)]), found.slice(end)];
}

function timeOf(ts) {
  const date = new Date(ts);
  const element = make("time", "", clock(date));
  element.dateTime = date.toISOString();
  element.title = moment.format(date);
  return element;
}

/** Where the words of a row stand; above them is more or less room, with or without the author. */
const topOf = (row) => (row.querySelector(".text") ?? row).getBoundingClientRect().top;

/** "ana, bo and 3 more", or nothing. */
function names(list) {
  const rest = list.length - NAMES_SHOWN;
  return list.slice(0, NAMES_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** The next row that is no marker. */
function below(row) {
  let next = row.nextElementSibling;
  while (next?.matches(".marker")) next = next.nextElementSibling;
  return next;
}

const byId = (id) => document.getElementById(id);

export class Log {
  /** The highest number seen, and the epoch it belongs to; null before the first joined. */
  head = 0;
  epoch = null;

  #scroller = byId("scroller");
  #live = byId("live");
  #list = make("ol", "log");
  #older = byId("older");
  #newest = byId("newest");
  #jump = byId("jump");
  #request;
  #key;
  /** @type {Map<number, HTMLElement>} */
  #rows = new Map();
  #messages = new WeakMap();
  #own = new Set();
  #gone = new Set(); // last numbers of holes that the server cannot fill either
  #loaded = false;
  #more = false;
  #asked = null; // the `before` of the request under way
  #detached = false;
  #following = true;
  #top = 0; // of the view, and its height, as of the last scrolling
  #height = 0;
  #anchor = null;
  #unseen = 0; // messages since the view left the end
  #unread = 0; // the number of the first message that came while nobody looked
  #news = 0; // messages since
  #unreadSight = new IntersectionObserver(([entry]) => this.#showJump(entry));
  #frame = 0;
  #burst = 0;

  /**
   * @param {string} room
   * @param {(fields: {before: number, limit: number}) => boolean} request  asks for history
   */
  constructor(room, request) {
    this.#request = request;
    this.#key = `unread:${room}`;
    const here = (verb) => (event) => this.#shown && verb(event);
    this.#older.addEventListener("click", here(() => this.#askOlder()));
    this.#newest.addEventListener("click", here(() => this.toEnd()));
    this.#jump.addEventListener("click", here(() => this.#list.querySelector(".unread")?.scrollIntoView({ block: "start" })));
    this.#scroller.addEventListener("scroll", here(() => this.#scrolled()), { passive: true });
    new ResizeObserver(here(() => this.keepView())).observe(this.#scroller);
  }

  get #shown() {
    return this.#list.isConnected;
  }

  /** From now on this is the log on the page. */
  show() {
    for (const other of this.#live.children) other.removeAttribute("id");
    this.#list.id = "log";
    this.#quiet();
    this.#live.replaceChildren(this.#list);
    this.#jump.hidden = true;
    this.#settled();
    this.keepView();
    this.#top = this.#scroller.scrollTop;
    this.#height = this.#scroller.clientHeight;
  }

  get atEnd() {
    return this.#following && !this.#detached;
  }

  /** How far the log has been seen. */
  get place() {
    return { epoch: this.epoch, after: this.head };
  }

  /** Where to resume from, for hello; nothing before the first history. */
  get resume() {
    return this.#loaded ? this.place : {};
  }

  joined(event) {
    this.refused();
    if (this.epoch !== null && this.epoch !== event.epoch) {
      this.#clear();
      this.clearUnread();
      this.head = 0;
      this.#loaded = false;
      this.note("notice", "The room has a new numbering since you were away. Below is what the server holds.");
    }
    if (this.epoch === null) this.#recallUnread(event.epoch);
    this.epoch = event.epoch;
    if (event.head === 0 || event.recovered) this.#loaded = true;
    this.#settled();
  }

  /** A message as it happens. @returns {boolean} whether it is new here */
  add(message, me) {
    if (this.#rows.has(message.seq)) return false;
    if (message.seq < this.head) {
      this.history({ messages: [message], more: this.#more }, me);
      return true;
    }
    this.head = message.seq;
    if (this.#unread) this.#news += 1;
    if (!this.#following && !isIgnored(message.nick)) {
      this.#unseen += 1;
      if (this.#list.children.length >= MOST_ROWS - 1) this.#detached = true; // what is being read stays
    }
    if (!this.#detached) {
      const row = this.#messageRow(message, me);
      if (message.nick === me || this.#own.has(message.seq)) row.ariaLive = "off";
      else this.#countAloud();
      this.#append(row);
    }
    this.#settled();
    return true;
  }

  /** Older messages, or those of a hole, or the latest after joining: each goes to its place. */
  history({ messages, more }, me) {
    this.#quiet();
    const lowest = Math.min(...this.#rows.keys());
    const loading = this.#asked !== null && messages.every((message) => message.seq < this.head);
    const last = messages.at(-1)?.seq ?? 0;
    if (this.#asked !== null && last < this.#asked - 1) this.#gone.add(this.#asked - 1);
    this.keepView(() => {
      if (!messages.length || messages[0].seq <= lowest) this.#more = more;
      if (last >= this.head) this.#detached = false;
      const asked = this.#rows.get(this.#asked);
      const placed = messages.filter(({ seq }) => !this.#rows.has(seq)).map((message) => this.#place(message, me));
      for (const row of new Set([...placed.flatMap((one) => [one, below(one)]), asked])) row && this.#settle(row);
      this.#trim(MOST_ROWS, loading && messages[0]?.seq < lowest);
      this.head = Math.max(this.head, last);
      this.#loaded = true;
      this.#asked = null;
      this.#older.disabled = false;
      this.#settled();
    });
  }

  /** Messages that were not sent to us, while none after them has come: said at the end of the list. */
  gap({ from, to }) {
    if (this.#detached || to <= this.head || from > to) return;
    this.#list.querySelector(".tail")?.remove();
    const tail = this.#hole(Math.max(from, this.head + 1), to);
    tail.classList.add("tail");
    this.#append(tail);
  }

  /** A request was refused: the buttons work again. */
  refused() {
    if (this.#shown) byId("skeleton").hidden = true;
    this.#asked = null;
    this.#older.disabled = false;
  }

  /** A message of ours is committed. */
  acknowledged(seq) {
    this.#own.add(seq);
    const row = this.#rows.get(seq);
    if (row) this.#tick(row);
  }

  isOwn(seq) {
    return this.#own.has(seq);
  }

  /** The line "new since" goes before a message; where it stands already, it stays. */
  markUnread(seq) {
    const row = this.#rows.get(seq);
    if (this.#unread || !row) return;
    this.#unread = seq;
    this.#news = 1;
    remember("sessionStorage", this.#key, `${this.epoch} ${seq}`);
    row.classList.remove("same");
    row.before(this.#unreadLine(row));
  }

  clearUnread() {
    if (!this.#unread) return;
    this.#unread = 0;
    remember("sessionStorage", this.#key, "");
    this.#unreadSight.disconnect();
    if (this.#shown) this.#jump.hidden = true;
    this.#list.querySelector(".unread")?.remove();
  }

  /** The line stands where it stood before the page was loaded anew. */
  #recallUnread(epoch) {
    const [itsEpoch, seq] = (recall("sessionStorage", this.#key) ?? "").split(" ");
    if (itsEpoch === epoch) this.#unread = Number(seq);
  }

  /** Words of the server, or of the page: kind is "notice" or "error". */
  note(kind, text) {
    const row = make("li", kind);
    row.append(body(text), timeOf(Date.now()));
    this.#append(row);
  }

  whisper({ from, to, ts, text }, me) {
    const row = make("li", "msg private");
    const who = make("span", "who");
    if (from === me) who.append("you → ", nickOf(to));
    else who.append(nickOf(from), " → you");
    row.append(who, body(text, me), timeOf(ts));
    row.dataset.ts = ts;
    this.#append(row);
  }

  /** Joins, leaves and new names; folded into the row above while nothing else was said. */
  presence({ joined = [], left = [], renamed = [] }, me) {
    const last = settings.joins === "show" ? null : this.#list.lastElementChild;
    const above = last?.matches(".presence") ? last : null;
    const row = above ?? make("li", "presence");
    const fold = this.#messages.get(row) ?? { joined: [], left: [], renamed: [] };
    for (const { nick } of joined) {
      if (fold.left.includes(nick)) fold.left = fold.left.filter((one) => one !== nick);
      else if (nick !== me) fold.joined.push(nick);
    }
    for (const nick of left) {
      if (fold.joined.includes(nick)) fold.joined = fold.joined.filter((one) => one !== nick);
      else fold.left.push(nick);
    }
    fold.renamed.push(...renamed.map(({ from, to }) => `${from} is now ${to}`));
    const words = [
      fold.joined.length && `${names(fold.joined)} joined`,
      fold.left.length && `${names(fold.left)} left`,
      ...fold.renamed,
    ].filter(Boolean);
    row.ariaLive = "off";
    row.replaceChildren(make("div", "text", words.join("; ")), timeOf(Date.now()));
    this.#messages.set(row, fold);
    if (!words.length) row.remove();
    else if (above) this.#stick();
    else this.#append(row);
  }

  /** Who spoke, the latest first. */
  speakers() {
    return [...new Set([...this.#list.children].reverse().map((row) => this.#messages.get(row)?.nick).filter(Boolean))];
  }

  /** The view goes to the end and follows it; the end is fetched if it was unloaded. */
  toEnd() {
    if (this.#detached) {
      const whispers = this.#list.querySelectorAll(".private"); // the server has them no more
      this.#clear();
      this.#list.append(...whispers);
      this.#ask(this.head + 1, PAGE);
    }
    this.#following = true;
    this.keepView();
  }

  /** Does something to the rows and leaves the person's view on them where it was. */
  keepView(change = () => {}) {
    const anchor = this.#following ? null : this.#anchor;
    change();
    if (!this.#shown) return;
    if (!anchor?.row.isConnected) this.#stick();
    else this.#scroller.scrollTop += topOf(anchor.row) - anchor.top;
  }

  /** Writes all times anew, and shows or hides what those say who are ignored. */
  restyle() {
    for (const time of this.#list.querySelectorAll("time")) time.textContent = clock(new Date(time.dateTime));
    for (const row of this.#rows.values()) row.classList.toggle("ignored", isIgnored(this.#messages.get(row).nick));
    this.keepView();
  }

  #messageRow(message, me) {
    const row = make("li", "msg");
    row.classList.toggle("ignored", isIgnored(message.nick));
    row.dataset.seq = message.seq;
    row.dataset.ts = message.ts;
    row.classList.toggle("action", message.kind === "action");
    row.classList.toggle("own", message.nick === me || this.#own.has(message.seq));
    const who = make("span", "who");
    who.append(nickOf(message.nick));
    if (message.door === "tcp" || message.door === "telnet") who.append(doorOf("terminal"));
    if (message.door === "http") who.append(doorOf("http"));
    row.append(who, body(message.text, me), timeOf(message.ts));
    this.#messages.set(row, message);
    this.#rows.set(message.seq, row);
    if (this.#own.has(message.seq)) this.#tick(row);
    return row;
  }

  #tick(row) {
    if (row.querySelector(".mark")) return;
    const mark = make("span", "mark");
    mark.title = "sent";
    mark.append(make("span", "aloud", "sent"));
    row.append(mark);
  }

  #append(row) {
    row.dataset.ts ??= Date.now();
    if (row.dataset.seq) this.#list.querySelector(".tail")?.remove();
    this.#list.append(row);
    this.#settle(row);
    if (this.#following && this.#list.children.length >= MOST_ROWS) this.keepView(() => this.#trim(MOST_ROWS - TRIMMED, false));
    this.#stick();
  }

  #place(message, me) {
    const next = [...this.#rows.keys()].filter((seq) => seq > message.seq);
    const row = this.#messageRow(message, me);
    if (next.length) this.#rows.get(Math.min(...next)).before(row);
    else this.#last(message.ts).after(row);
    return row;
  }

  /** The last row that is a message, or is not younger than `ts`; the list's place for a first one. */
  #last(ts) {
    let row = this.#list.lastElementChild;
    while (row && !row.dataset.seq && Number(row.dataset.ts) > ts) row = row.previousElementSibling;
    return row ?? { after: (first) => this.#list.prepend(first) };
  }

  /** Drops rows beyond `most`, at the end that is farther from what is being read. */
  #trim(most, fromEnd) {
    while (this.#list.children.length > most) {
      const row = fromEnd ? this.#list.lastElementChild : this.#list.firstElementChild;
      this.#rows.delete(Number(row.dataset.seq));
      row.remove();
      if (fromEnd) this.#detached = true;
      else this.#more = true;
    }
    const first = this.#list.firstElementChild;
    if (first?.classList.contains("same")) this.#settle(first); // its author stood in a row that is gone
  }

  /** Puts before a row what its neighbours above call for: a hole, a new day; and folds the author. */
  #settle(row) {
    if (row.matches(".marker")) return;
    while (row.previousElementSibling?.matches(".marker:not(.tail)")) row.previousElementSibling.remove();
    const above = row.previousElementSibling;
    const markers = [];
    const hole = this.#holeBefore(row);
    if (hole) markers.push(hole);
    if (this.#unread && Number(row.dataset.seq) === this.#unread) markers.push(this.#unreadLine(row));
    const ts = Number(row.dataset.ts);
    const day = calendar.format(ts);
    if (!above || calendar.format(Number(above.dataset.ts)) !== day) markers.push(make("li", "marker day", day));
    for (const marker of markers) {
      marker.dataset.ts = ts;
      row.before(marker);
    }
    const [here, there] = [this.#messages.get(row), above && this.#messages.get(above)];
    const same = here?.seq && there?.nick === here.nick && there.door === here.door && ts - there.ts < SAME_AUTHOR;
    row.classList.toggle("same", Boolean(same && !markers.length && here.kind === "say" && there.kind === "say"));
  }

  #unreadLine(row) {
    const ts = Number(row.dataset.ts);
    const line = make("li", "marker unread", `new since ${clock(ts)}`);
    line.dataset.ts = ts;
    this.#unreadSight.disconnect();
    this.#unreadSight.observe(line);
    return line;
  }

  #holeBefore(row) {
    const seq = Number(row.dataset.seq);
    if (!seq) return null;
    let above = row.previousElementSibling;
    while (above && !above.dataset.seq) above = above.previousElementSibling;
    if (!above || Number(above.dataset.seq) >= seq - 1) return null;
    return this.#hole(Number(above.dataset.seq) + 1, seq - 1);
  }

  #hole(from, to) {
    const which = from === to ? `message ${from}` : `messages ${from}–${to}`;
    const verb = from === to ? "was" : "were";
    if (this.#gone.has(to)) return make("li", "marker hole", `${which} ${verb} not sent to you and no longer kept`);
    const hole = make("li", "marker hole", `${which} ${verb} not sent to you `);
    const load = make("button", "quiet", "load");
    load.type = "button";
    load.addEventListener("click", () => this.#ask(to + 1, Math.min(PAGE, to - from + 1)));
    hole.append(load);
    return hole;
  }

  #askOlder() {
    this.#ask(Math.min(...this.#rows.keys()), PAGE);
  }

  #ask(before, limit) {
    if (this.#asked !== null || !this.#request({ before, limit })) return;
    this.#asked = before;
    this.#older.disabled = true;
  }

  #clear() {
    this.#list.replaceChildren();
    this.#rows.clear();
    this.#gone.clear();
    this.#own.clear();
    this.#detached = false;
    this.#more = false;
  }

  #settled() {
    if (!this.#shown) return;
    byId("skeleton").hidden = this.#loaded;
    byId("empty").hidden = !this.#loaded || this.head > 0;
    this.#older.hidden = !this.#more || !this.#rows.size;
    this.#showNewest();
  }

  #showNewest() {
    this.#newest.hidden = this.atEnd;
    this.#newest.textContent = this.#unseen ? `↓ newest ${this.#unseen}` : "↓ newest";
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    // Rows that were just added put the end further away, and so does a higher message box; only the person's going up
    // means leaving it.
    if (scrollHeight - scrollTop - clientHeight <= NEAR) this.#following ||= !this.#detached;
    else if (scrollTop < this.#top && clientHeight === this.#height) this.#following = false;
    this.#top = scrollTop;
    this.#height = clientHeight;
    if (this.atEnd) this.#unseen = 0;
    else this.#findAnchor();
    this.#showNewest();
    if (!this.#following && this.#more && scrollTop < EDGE) this.#askOlder();
    if (this.#detached && scrollHeight - scrollTop - clientHeight < EDGE) {
      this.#ask(Math.min(this.head, Math.max(...this.#rows.keys()) + PAGE) + 1, PAGE);
    }
  }

  /** Offers the way up to the line "new since" while it is above what is seen. */
  #showJump({ isIntersecting, boundingClientRect, rootBounds }) {
    if (!this.#shown) return;
    this.#jump.hidden = isIntersecting || boundingClientRect.top > (rootBounds?.top ?? 0) + this.#height / 2;
    this.#jump.textContent = `↑ ${this.#news || ""} new`;
  }

  /** What changes now is not read aloud. */
  #quiet() {
    this.#live.ariaLive = "off";
    setTimeout(() => (this.#live.ariaLive = "polite"), 100);
  }

  #countAloud() {
    if (!this.#shown) return;
    this.#burst += 1;
    if (this.#burst === 1) setTimeout(() => this.#burstOver(), BURST_TIME);
    if (this.#burst > BURST) this.#live.ariaLive = "off";
  }

  #burstOver() {
    if (this.#burst > BURST) byId("said").textContent = `${this.#burst} new messages`;
    this.#live.ariaLive = "polite";
    this.#burst = 0;
  }

  #findAnchor() {
    const edge = this.#scroller.getBoundingClientRect().top;
    const rows = this.#list.children;
    let [low, high] = [0, rows.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].getBoundingClientRect().bottom > edge) high = middle;
      else low = middle + 1;
    }
    let row = rows[low];
    while (row?.classList.contains("marker")) row = row.nextElementSibling; // markers are made anew
    this.#anchor = row ? { row, top: topOf(row) } : null;
  }

  /** To the end, once a frame, if the view follows it. */
  #stick() {
    if (this.#frame || !this.#following) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
      this.#height = this.#scroller.clientHeight;
    });
  }
}
