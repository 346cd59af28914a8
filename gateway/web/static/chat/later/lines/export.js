/** The log of the room on the page as a text file. Loaded when it is wanted. */

import { at } from "../../../shared/address.js";
import { exported as words } from "../words.js";
import { textOf } from "./plain_text.js";

/**
 * "2026-11-28 20:48:01+01:00": local time with its offset from UTC.
 * @param {string} time
 */
function moment(time) {
  const date = new Date(time);
  const minutes = -date.getTimezoneOffset();
  const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const offset = [hours, rest].map((number) => String(number).padStart(2, "0")).join(":");
  return `${date.toLocaleString("sv")}${minutes < 0 ? "-" : "+"}${offset}`;
}

/**
 * Saves the loaded rows, one line for each, and says how to get the rest; of a talk there is no more.
 * @param {import("../../rooms/room.js").Room} room
 */
export function save(room) {
  const rows = [...document.querySelectorAll("#log > li:not(.marker)")];
  const lines = rows.map((row) => {
    const time = row.querySelector("time");
    return `${time ? moment(time.dateTime) : ""} ${textOf(row).replaceAll("\n", "\n    ")}`;
  });
  const link = document.createElement("a");
  const whole = room.isTalk ? "" : location.origin + at(`/r/${room.name}/log.txt`);
  const text = [words.head(room.sign + room.title, rows.length, whole), ...lines, ""].join("\n");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = `${room.title}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
