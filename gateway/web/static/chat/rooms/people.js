/** The people panel, and the counts in the bar. */

import { byId, make } from "../../shared/dom.js";
import { people as words } from "../words.js";
import { doorOf } from "./message.js";
import { nickOf } from "./nick_colour.js";

/** Whether there is room for the panel beside the messages. */
export const wide = matchMedia("(min-width: 900px)");

/** Shows who is in the room on the page. */
export class People {
  #panel = byId("people");
  #list = byId("members");
  #button = byId("people-button");
  #inOrder = new Intl.Collator().compare;

  /** @param {(nick: string) => void} onPick  called with the name that was pressed */
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

  /**
   * Opens or closes the panel; on a phone it is a sheet over the room and takes the focus.
   * @param {boolean} open
   */
  show(open, focus = false) {
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (focus && !wide.matches) (open ? byId("people-close") : this.#button).focus();
  }

  get isSheet() {
    return !this.#panel.hidden && !wide.matches;
  }

  /**
   * Shows these people. Rows that stay are left alone, so that none moves under the pointer without need.
   * @param {Chat.Room} given
   * @param {string} me
   */
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

  /** @param {string} nick   @param {string} door   @param {boolean} mine */
  #row(nick, door, mine) {
    const name = make("button", { type: "button", className: "quiet" }, nickOf(nick));
    if (mine) name.append(make("span", "muted", words.you));
    if (door) name.append(doorOf(door, words.terminal(door)));
    return make("li", { data: { nick, door, ...(mine && { mine: "" }) } }, name);
  }

  /** @param {Map<string, string>} doors   @param {number} count */
  #tell(doors, count) {
    const web = [...doors.values()].filter((door) => door === "web").length;
    const complete = count === doors.size;
    const tally = complete ? words.doors(web, count - web) : "";
    if (count) byId("count").textContent = words.here(count);
    byId("first").textContent = count > 1 ? words.quiet : words.first;
    byId("tally").textContent = tally;
    byId("members-note").hidden = complete;
    byId("members-note").textContent = words.partial;
  }
}
