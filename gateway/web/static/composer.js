/**
 * The message box, and the lines that have left it but have not arrived yet.
 *
 * Nothing typed is lost: the draft and the unsent lines are kept in this tab's session storage, per room. A line leaves
 * the outbox only when the server has acknowledged or answered it, or when the person drops it.
 *
 * A line that was on its way when the connection broke has arrived or not. The room's log tells: it is among the
 * messages that were missed, and then it is done, or it is not, and then it goes out again. Where the log does not reach
 * back that far, the server's own memory of ids helps for two minutes; beyond that the person decides.
 */

import { body, make, nickOf, recall, remember, settings } from "./log.js";

/** The most a message may hold, in bytes of UTF-8; the contract's limit. */
const MOST_BYTES = 4_000;
const MOST_ROWS = 8;
const MOST_REMEMBERED = 100;
/** A paste of more lines than this is asked about. */
const MOST_PASTED = 5;
/** The server remembers an id for 2 minutes; a retry within this time cannot be shown twice. */
const DEDUPED_FOR = 110_000;

/** After so long without an answer a line no longer holds up the others. */
const ANSWER_WITHIN = 5_000;
/** A command, which leaves no message behind: `/x …`, but neither `//x` nor a path. */
const COMMAND = /^\/[^\s/]+(\s|$)/;
/** A text without what the server may have changed in it. */
const core = (text) => text.replace(/^\/(?=\/)/, "").replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, "");

const bytesOf = (text) => new TextEncoder().encode(text).length;

export class Composer {
  #box = document.getElementById("message");
  #counter = document.getElementById("counter");
  #send = document.getElementById("send");
  #closed = document.getElementById("closed");
  #key = "";
  #onSend;
  #names;
  #suggestions = null;
  #sent = []; // newest first
  #slot = 0; // 0 = the draft, n = the nth newest of #sent
  #draft = "";
  #touch = matchMedia("(pointer: coarse)");

  /**
   * @param {(text: string) => void} onSend
   * @param {() => string[]} names  nicks to complete, the likeliest first
   */
  constructor(onSend, names) {
    this.#onSend = onSend;
    this.#names = names;
    this.#box.addEventListener("input", () => this.#typed());
    this.#box.addEventListener("keydown", (event) => this.#pressed(event));
    this.#box.addEventListener("paste", (event) => this.#pasted(event));
    this.#box.addEventListener("keydown", () => this.#getSuggestions(), { once: true });
    document.getElementById("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    addEventListener("resize", () => this.#fit());
  }

  /** From now on the box is that room's, with the draft that was left there. */
  enter(room) {
    this.#key = `draft:${room}`;
    this.#box.ariaLabel = `Message ${room}`;
    this.#box.placeholder = `Message ${room}…`;
    this.#put(recall("sessionStorage", this.#key) ?? "");
  }

  focus() {
    this.#box.focus();
  }

  /** Takes nothing for now, and says why. The draft stays. */
  close(words) {
    this.#closed.hidden = false;
    this.#closed.firstElementChild.textContent = words;
    this.#box.readOnly = true;
    this.#fit();
  }

  open() {
    this.#closed.hidden = true;
    this.#box.readOnly = false;
    this.#fit();
  }

  /** Brings a text back into the box, before what stands there already. */
  edit(text) {
    this.#put([text, this.#box.value].filter(Boolean).join("\n"));
    this.focus();
  }

  /** Starts, or goes on, addressing somebody. */
  mention(nick) {
    const before = this.#box.value;
    this.#put(before ? `${before.trimEnd()} ${nick} ` : `${nick}: `);
    this.focus();
  }

  /** Puts a text in place of the draft, which comes back by ↓. */
  write(text) {
    this.#draft = this.#box.value;
    if (this.#draft.trim()) this.#sent.unshift(this.#draft);
    this.#put(text);
    this.focus();
  }

  #put(text) {
    this.#box.value = text;
    this.#box.setSelectionRange(text.length, text.length);
    this.#typed();
  }

  #typed() {
    this.#slot = 0;
    remember("sessionStorage", this.#key, this.#box.value);
    this.#fit();
    this.#suggestions?.update();
  }

  async #getSuggestions() {
    try {
      const { Suggestions } = await import("./suggestions.js");
      this.#suggestions = new Suggestions(this.#box, this.#names);
      this.#suggestions.update();
    } catch {
      // The server is away, or has other files by now: one can type without them.
    }
  }

  #submit() {
    const text = this.#box.value.replace(/\s+$/, "");
    if (!text.trim() || this.#send.disabled) return;
    this.#sent.unshift(text);
    this.#sent.length = Math.min(this.#sent.length, MOST_REMEMBERED);
    this.#put("");
    this.focus();
    this.#onSend(text);
  }

  /** The box is as high as its text, and the counter shows from 80 % of the limit. */
  #fit() {
    const box = this.#box;
    const style = getComputedStyle(box);
    const padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
    box.rows = 1;
    box.rows = Math.min(MOST_ROWS, Math.max(1, Math.round((box.scrollHeight - padding) / parseFloat(style.lineHeight))));
    const bytes = bytesOf(box.value);
    const over = bytes > MOST_BYTES;
    this.#counter.hidden = bytes < 0.8 * MOST_BYTES;
    this.#counter.textContent = over
      ? `${(bytes - MOST_BYTES).toLocaleString("en")} bytes too long`
      : `${bytes.toLocaleString("en")} / ${MOST_BYTES.toLocaleString("en")} bytes`;
    this.#counter.classList.toggle("over", over);
    this.#send.disabled = over || box.readOnly;
  }

  #pressed(event) {
    if (event.isComposing || this.#suggestions?.pressed(event)) return;
    const bare = !event.ctrlKey && !event.altKey && !event.metaKey;
    const sends = event.shiftKey ? false : bare ? settings.enter !== "newline" && !this.#touch.matches : !event.altKey;
    if (event.key === "Enter" && sends) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && bare && (this.#slot > 0 || this.#box.value === "")) {
      if (this.#walk(this.#slot + 1)) event.preventDefault();
    } else if (event.key === "ArrowDown" && bare && this.#slot > 0) {
      if (this.#walk(this.#slot - 1)) event.preventDefault();
    }
  }

  #walk(slot) {
    if (slot > this.#sent.length) return false;
    if (this.#slot === 0) this.#draft = this.#box.value;
    this.#put(slot === 0 ? this.#draft : this.#sent[slot - 1]);
    this.#slot = slot;
    return true;
  }

  /** Many lines at once: as code, as they stand, or a mistake? Inside a code block they are what they are. */
  async #pasted(event) {
    const text = event.clipboardData.getData("text/plain").replace(/\r\n?/g, "\n").replace(/\n+$/, "");
    const { value, selectionStart, selectionEnd } = this.#box;
    const before = value.slice(0, selectionStart);
    if (text.split("\n").length <= MOST_PASTED || before.split("```").length % 2 === 0) return;
    event.preventDefault();
    const insert = (words) => {
      if (words) this.#box.setRangeText(words, selectionStart, selectionEnd, "end");
      this.#typed();
      this.focus();
    };
    try {
      (await import("./paste.js")).ask(text, before, insert);
    } catch {
      insert(text);
    }
  }
}

/**
 * @typedef {object} Line  one line on its way
 * @property {string} id
 * @property {string} text
 * @property {"queued"|"sending"|"refused"|"unsure"} state
 * @property {string} [why]      the server's words, when refused
 * @property {string} [token]    the identity it was first sent under; the server knows a repetition by it
 * @property {number} [since]    when it was first sent
 * @property {string} [nick]     under which nick
 * @property {string} [epoch]    the room's epoch then, and the last number seen: it stands behind that, if it arrived
 * @property {number} [after]
 */

export class Outbox {
  #list = make("ol", "log outbox");
  #room;
  #key;
  #me;
  #place;
  #send;
  #onEdit;
  #onChange;
  /** @type {Line[]} */
  #lines = [];
  #token = null;
  #open = false;
  #until = 0; // the server asked for patience until then
  #timer = 0;

  /**
   * @param {string} room
   * @param {() => string} me  our nick
   * @param {() => {epoch: string, after: number}} place  how far the log has been seen
   * @param {(object: object) => boolean} send
   * @param {(text: string) => void} onEdit
   * @param {() => void} onChange  rows came or went
   */
  constructor(room, me, place, send, onEdit, onChange) {
    this.#room = room;
    this.#key = `outbox:${room}`;
    this.#me = me;
    this.#place = place;
    this.#send = send;
    this.#onEdit = onEdit;
    this.#onChange = onChange;
    this.#list.ariaLabel = "Not sent yet";
    this.#lines = JSON.parse(recall("sessionStorage", this.#key) ?? "[]");
    this.#show();
  }

  /** From now on these are the lines on the page. */
  show() {
    this.#list.id = "outbox";
    document.getElementById("unsent").replaceChildren(this.#list);
  }

  add(text) {
    this.#lines.push({ id: crypto.getRandomValues(new Uint32Array(3)).join("-"), text, state: "queued" });
    this.#flush();
  }

  /** A message that came while we were away: was it a line of ours? */
  missed({ seq, nick, text }, epoch) {
    const line = this.#lines.find((one) => one.state === "sending" && one.nick === nick && core(one.text) === core(text));
    if (line && line.epoch === epoch && line.after < seq) this.#drop(line);
  }

  /**
   * The room is joined and `missed` knows all from the number `from` of `epoch` on: what waited goes out, and what was
   * lost goes out again.
   */
  opened(token, epoch, from) {
    this.#open = true;
    this.#token = token;
    this.#until = 0;
    for (const line of this.#lines) {
      if (line.state !== "sending") continue;
      const lost = !COMMAND.test(line.text) && line.epoch === epoch && from <= line.after + 1;
      const known = line.token && line.token === token && Date.now() - line.since < DEDUPED_FOR;
      line.state = lost || known ? "queued" : "unsure";
    }
    this.#flush();
  }

  closed() {
    this.#open = false;
    this.#show();
  }

  /** An ack or an answer to a command came. @returns {boolean} whether a line had waited for it */
  answered(id) {
    const at = this.#lines.findIndex((line) => line.id === id);
    if (at < 0) return false;
    this.#lines.splice(at, 1);
    this.#flush();
    return true;
  }

  /** @returns {boolean} whether the error answers a line of ours */
  refused(error) {
    const line = this.#lines.find((one) => one.id === error.id);
    if (!line) return false;
    if (error.code === "rate_limited") {
      line.state = "queued";
      this.#until = Date.now() + (error.retry_ms ?? 1_000);
    } else {
      line.state = "refused";
      line.why = error.code === "muted" ? `you are muted ${error.text}` : error.text || error.code;
    }
    this.#flush();
    return true;
  }

  #flush() {
    clearTimeout(this.#timer);
    const wait = this.#until - Date.now();
    if (wait > 0) this.#timer = setTimeout(() => this.#flush(), Math.min(wait, 1_000));
    else if (this.#open) this.#sendNext();
    this.#show();
  }

  /** One line at a time: of several under way one may be refused as too fast and the next be taken. */
  #sendNext() {
    const late = Date.now() - ANSWER_WITHIN;
    if (this.#lines.some((one) => one.state === "sending" && one.sent > late)) {
      this.#timer = setTimeout(() => this.#flush(), ANSWER_WITHIN);
      return;
    }
    const line = this.#lines.find((one) => one.state === "queued");
    if (!line || !this.#send({ type: "say", id: line.id, room: this.#room, text: line.text })) return;
    Object.assign(line, this.#place(), { state: "sending", nick: this.#me(), sent: Date.now() });
    line.since ??= line.sent;
    line.token ??= this.#token;
  }

  #drop(line) {
    this.#lines = this.#lines.filter((one) => one !== line);
    this.#show();
  }

  #again(line) {
    line.state = "queued";
    line.since = line.token = undefined;
    this.#flush();
  }

  #show() {
    remember("sessionStorage", this.#key, this.#lines.length ? JSON.stringify(this.#lines) : "");
    this.#list.replaceChildren(...this.#lines.map((line) => this.#row(line)));
    this.#onChange();
  }

  #row(line) {
    const row = make("li", "msg own");
    row.dataset.state = this.#open ? line.state : "unsent";
    const mark = make("span", "mark", this.#words(line));
    const button = (word, press) => {
      const one = make("button", "quiet", word);
      one.type = "button";
      one.addEventListener("click", press);
      mark.append(" ", one);
    };
    if (row.dataset.state !== "sending") {
      if (line.state === "refused" || line.state === "unsure") button("send again", () => this.#again(line));
      button("edit", () => {
        this.#drop(line);
        this.#onEdit(line.text);
      });
      button("drop", () => this.#drop(line));
    }
    const who = make("span", "who");
    who.append(nickOf(this.#me()));
    row.append(who, body(line.text), mark);
    return row;
  }

  #words(line) {
    const wait = Math.ceil((this.#until - Date.now()) / 1_000);
    if (line.state === "refused") return `not sent: ${line.why}`;
    if (line.state === "unsure") return "it is not known whether this arrived";
    if (!this.#open) return "unsent";
    if (line.state === "queued" && wait > 0) return `too fast: wait ${wait} s`;
    return "sending…";
  }
}
