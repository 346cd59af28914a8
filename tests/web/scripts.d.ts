// Names for what the scripts hand to one another.

declare namespace Chat {
  type Page = import("../../gateway/web/static/chat/page.js").Page;
  type Room = import("../../gateway/web/static/chat/rooms/room.js").Room;
  type Log = import("../../gateway/web/static/chat/rooms/log.js").Log;
  type View = import("../../gateway/web/static/chat/rooms/view.js").View;
  type Line = import("../../gateway/web/static/chat/rooms/outbox.js").Line;
  type State = import("../../gateway/web/static/chat/connection.js").State;

  /** A message of a room, or a row without a number: a private message has none. */
  type Said = Pick<Server.Msg, "ts" | "nick" | "text"> & Partial<Server.Msg>;
  type Sent = { type: string; id?: string; text?: string; [field: string]: unknown };
  type Place = { room: string; epoch?: string | null; after?: number };
  type Suggestion = { value: string; words: string; usage?: string; isSign?: boolean };
  type Choice = { name: string; kind: string; words: string; run: () => unknown };
  type News = { left: string[]; joined: Server.Listed[]; renamed: Server.Renamed[] };
}

declare namespace Admin {
  type Row = Server.ConnectionRow & { [field: string]: unknown };
  type Fields = Record<string, string>;
  type Outcome = { done: string[]; gone: string[]; refused: string[]; words: string | null };
  type Column = { head: HTMLElement; label: string; field: string; shown: string; first: string; second: string; on: string };
  type Series = { figure: string; label: string; shown: string; side: string };
  type Figures = Record<string, number[]>;
  type Plan = { title: string; stacked?: boolean; bars?: boolean; series: (figures: Figures) => Series[] };
  type Query = { q: string; state: string; sort: string; limit: string; cursor: string };
}
