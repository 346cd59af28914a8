// Made by `python -m tests.web.declarations` from the schemas of /openapi.json.

declare namespace Server {
  interface Ack {
    type: "ack";
    id: string;
    room?: string;
    seq?: number;
  }

  type Action = "ban" | "kick" | "message" | "mute";

  interface AnnounceRequest {
    text: string;
    door?: Door | null;
    room?: string | null;
  }

  interface Announced {
    connections: number;
  }

  interface AuditEntry {
    number: number;
    at: number;
    who: string;
    source: string;
    action: string;
    target: string;
    reason: string;
    result: string;
  }

  interface AuditPage {
    entries: Array<AuditEntry>;
    cursor: string | null;
  }

  interface BackupReport {
    file: string;
    state: BackupState;
    copied?: number;
    total?: number;
    text?: string;
  }

  interface BackupRequest {
    file: string;
    replace?: boolean;
  }

  type BackupState = "complete" | "failed" | "running";

  type BanBy = "" | "address" | "both" | "name";

  interface BanPage {
    bans: Array<SanctionRow>;
    total: number;
    cursor: string | null;
  }

  interface Banned {
    ban: SanctionRow;
    connections: number;
  }

  interface BulkActionList {
    campaigns: Array<BulkRow>;
  }

  interface BulkRequest {
    action: Action;
    q: string;
    expected: number;
    reason?: string;
    seconds?: number | null;
    text?: string;
    per_second?: number;
  }

  interface BulkRow {
    id: string;
    action: Action;
    q: string;
    reason: string;
    seconds: number | null;
    text: string;
    operator: string;
    per_second: number;
    state: BulkState;
    total: number;
    done: number;
    gone: number;
    refused: number;
    spared: number;
    left: number;
    began_at: number;
    ended_at: number | null;
    problem: string | null;
  }

  type BulkState = "finished" | "running" | "stopped";

  interface Bye {
    type: "bye";
    code: number;
    reason: string;
    retry_ms?: number;
  }

  interface CauseLine {
    name: string;
    level: string;
    text: string;
  }

  type ClientObject = Hello | Say | Join | Part | Nick | Earlier | MarkRead | Write | Ping;

  interface ClosedLine {
    id: string;
    nick: string;
    door: string;
    address: string;
    closed_at: number;
    lasted: number;
    reason: string;
    words: string;
  }

  interface ConnectionRow {
    id: string;
    nick: string;
    door: string;
    room: string | null;
    address: string;
    connected_at: number;
    idle: number | null;
    rtt: number | null;
    messages_in: number;
    messages_out: number;
    bytes_in: number;
    bytes_out: number;
    lag_messages: number | null;
    lag_bytes: number | null;
    state: string;
    up: number;
    messages_in_rate: number | null;
    messages_out_rate: number | null;
    bytes_in_rate: number | null;
    bytes_out_rate: number | null;
    skipped: number;
    unsent_ms: number | null;
    agent: string | null;
    rooms: Array<string>;
    resumed: number | null;
    proxy: string | null;
    user?: string | null;
    local?: string | null;
    tls?: boolean | null;
    telnet?: Array<string>;
    terminal?: string | null;
    retransmits?: number | null;
    unacked?: number | null;
    unsent_bytes?: number | null;
    reason?: string;
    closed_at?: number;
    words?: string;
    node?: string;
  }

  interface Credentials {
    token?: string;
    name?: string;
    password?: string;
  }

  interface Detail {
    connection: ConnectionRow;
    rooms: Array<RoomLine>;
    events: Array<EventLine>;
    sparkline: Sparkline;
  }

  type Door = "http" | "tcp" | "telnet" | "web";

  type DoorState = "closed" | "draining" | "paused" | "ready";

  interface DrainReport {
    state: string;
    per_second: number | null;
    doors: Array<DrainingDoor>;
  }

  interface DrainRequest {
    door?: Door | null;
    node?: string;
    per_second?: number;
    spread_seconds?: number;
  }

  interface DrainingDoor {
    door: Door;
    state: DoorState;
    total: number;
    sent: number;
    left: number;
  }

  interface Earlier {
    type: "history";
    room: string;
    before?: number | null;
    limit?: number;
    id?: string | null;
  }

  interface EpochRenewed {
    text: string;
  }

  interface EpochRequest {
    room: string;
  }

  interface Error {
    type: "error";
    code: string;
    text: string;
    id?: string;
    retry_ms?: number;
  }

  interface EventLine {
    at: number;
    event: string;
    detail: string;
  }

  interface EventLines {
    events: Array<EventRow>;
    cursor: number;
    last: number;
    missed: number;
  }

  interface EventRow {
    number: number;
    at: number;
    event: string;
    id: string | null;
    nick: string | null;
    detail: string;
  }

  interface Failure {
    code: string;
    text: string;
    word?: string;
    at?: number;
    length?: number;
    why?: string;
    right?: string;
    matches?: number;
  }

  interface Gap {
    type: "gap";
    room: string;
    from: number;
    to: number;
  }

  interface HealthReport {
    status?: "ok";
  }

  interface Hello {
    type: "hello";
    nick?: string | null;
    token?: string | null;
    rooms?: Array<Place> | null;
  }

  interface History {
    type: "history";
    room: string;
    messages: Array<Msg>;
    more: boolean;
    own?: Array<number>;
  }

  interface HistoryPage {
    room: string;
    epoch: string;
    messages: Array<Msg>;
    more: boolean;
    first?: number;
    head?: number;
    cursor?: string | null;
    incomplete?: boolean;
  }

  interface Join {
    type: "join";
    room: string;
    epoch?: string | null;
    after?: number | null;
    id?: string | null;
  }

  interface Joined {
    type: "joined";
    room: string;
    epoch: string;
    first: number;
    head: number;
    recovered: boolean;
    topic: string;
    count: number;
    members: Array<Listed>;
    read?: number;
    own?: Array<number>;
  }

  interface KickRequest {
    reason?: string;
    ban_seconds?: number | null;
    ban_by?: BanBy;
  }

  interface Kicked {
    id: string;
    kicked: true;
    ban: SanctionRow | null;
  }

  type Kind = "action" | "say";

  interface Lifted {
    id: string;
    lifted: true;
  }

  interface Listed {
    nick: string;
    door: string;
  }

  interface ListedRoom {
    room: string;
    topic: string;
    count: number;
    head: number;
    last_ts?: number | null;
  }

  interface ListenerLine {
    door: string;
    address: string;
    state: string;
  }

  interface LogLevel {
    level: string;
    usual: string;
    until: number | null;
  }

  interface LogLevelRequest {
    level: string;
    seconds?: number;
  }

  interface LoggedIn {
    name: string;
    role: string;
    csrf: string;
    expires_in: number;
  }

  interface LoginLink {
    url: string;
    expires_in: number;
  }

  interface MaintenanceReport {
    on: boolean;
    text: string | null;
    since: number | null;
  }

  interface MaintenanceRequest {
    on: boolean;
    text?: string;
  }

  interface Mark {
    at: number;
    text: string;
  }

  interface MarkRead {
    type: "read";
    room: string;
    epoch: string;
    seq: number;
  }

  interface MessageRequest {
    text: string;
  }

  interface MissingNode {
    node: string;
    why: string;
  }

  interface Msg {
    type: "msg";
    room: string;
    seq: number;
    ts: number;
    nick: string;
    door: string;
    kind: string;
    text: string;
    redacted?: string;
    paste?: PasteSize;
  }

  interface MutePage {
    mutes: Array<SanctionRow>;
    total: number;
    cursor: string | null;
  }

  interface Muted {
    mute: SanctionRow;
  }

  interface Nick {
    type: "nick";
    nick: string;
    id?: string | null;
  }

  interface NodeLine {
    node: string;
    version: string;
    uptime: number;
    clock_ms: number;
    here: boolean;
    health?: string | null;
    connections?: number | null;
    missing?: string | null;
  }

  interface Notice {
    type: "notice";
    text: string;
    room?: string;
    id?: string;
    topic?: string;
    nick?: string;
  }

  interface Part {
    type: "part";
    room: string;
    id?: string | null;
  }

  interface PasteSize {
    bytes: number;
    lines: number;
  }

  interface Ping {
    type: "ping";
    id?: string | null;
  }

  interface Place {
    room: string;
    epoch?: string | null;
    after?: number | null;
  }

  interface Pong {
    type: "pong";
    id?: string;
  }

  interface PostBody {
    text: string;
    nick?: string | null;
    id?: string | null;
    token?: string | null;
  }

  interface Presence {
    type: "presence";
    room: string;
    joined: Array<Listed>;
    left: Array<string>;
    renamed: Array<Renamed>;
    count: number;
  }

  interface Private {
    type: "private";
    from: string;
    to: string;
    ts: number;
    text: string;
  }

  interface Read {
    type: "read";
    room: string;
    epoch: string;
    seq: number;
  }

  interface RedactRequest {
    reason?: string;
  }

  interface Redacted {
    type: "redacted";
    room: string;
    epoch: string;
    seq: number;
    by: string;
    reason: string;
  }

  interface RefusalReply {
    error: Failure;
  }

  interface Renamed {
    from: string;
    to: string;
  }

  interface RoomLine {
    room: string;
    cursor: number;
    head: number;
    lag_messages: number;
    lag_bytes: number;
    reading: boolean;
  }

  interface RoomPage {
    rooms: Array<RoomRow>;
    total: number;
    of: number;
    cursor: string | null;
    at: number;
    missing?: Array<MissingNode>;
  }

  interface RoomRow {
    room: string;
    topic: string;
    people: number;
    tcp: number;
    telnet: number;
    web: number;
    http: number;
    head: number;
    first: number;
    log_messages: number;
    log_bytes: number;
    rate: number | null;
    lag_messages: number;
    lag_bytes: number;
    epoch: string;
    nodes?: Array<string>;
  }

  interface SanctionRequest {
    nick?: string;
    address?: string;
    connection?: string;
    by?: BanBy;
    reason?: string;
    seconds?: number | null;
    sure?: boolean;
  }

  interface SanctionRow {
    id: string;
    kind: string;
    target: string;
    reason: string;
    author: string;
    created_at: number;
    until: number | null;
  }

  interface Say {
    type: "say";
    room: string;
    text: string;
    id?: string | null;
    kind?: Kind;
  }

  interface Series {
    span: string;
    step: number;
    t: Array<number>;
    figures: Record<string, Array<number>>;
    marks: Array<Mark>;
  }

  type ServerObject = Welcome | Joined | Msg | Redacted | Ack | History | Presence | Private | Typing | Gap | Notice | Error | Pong | Bye | Read | Standing;

  interface SessionEnded {
    id: string;
    ended: true;
  }

  interface SessionRow {
    id: string;
    name: string;
    role: string;
    address: string;
    agent: string;
    opened: number;
    seen: number;
    current: boolean;
  }

  interface Sessions {
    sessions: Array<SessionRow>;
  }

  interface SlowLine {
    id: string;
    nick: string;
    door: string;
    address: string;
    lag_bytes: number;
  }

  interface Sparkline {
    at: Array<number>;
    lag_bytes: Array<number | null>;
    messages_in_rate: Array<number | null>;
    messages_out_rate: Array<number | null>;
  }

  interface Standing {
    type: "standing";
    role?: string | null;
    muted?: boolean;
    muted_until?: number | null;
    banned?: boolean;
    banned_until?: number | null;
    reason?: string;
  }

  interface Stored {
    room: string;
    epoch: string;
    seq: number;
  }

  interface Summary {
    version: string;
    started_at: number;
    now: number;
    uptime: number;
    health: string;
    causes: Array<CauseLine>;
    listeners: Array<ListenerLine>;
    tiles: Record<string, Tile>;
    rooms: number;
    campaigns: number;
    closed: Record<string, number>;
    slowest: Array<SlowLine>;
    last_closed: Array<ClosedLine>;
    nodes?: Array<NodeLine>;
  }

  interface TablePage {
    connections: Array<ConnectionRow>;
    total: number;
    of: number;
    cursor: string | null;
    at: number;
    snapshot: string | null;
    missing?: Array<MissingNode>;
  }

  interface Tile {
    now: number | null;
    peak: number | null;
    limit?: number | null;
    total?: number | null;
  }

  interface Told {
    id: string;
    told: true;
  }

  interface Typing {
    type: "typing";
    room: string;
    nick: string;
  }

  interface Welcome {
    type: "welcome";
    session: string;
    token: string;
    nick: string;
    server: Record<string, string>;
    limits: Record<string, number>;
    standing?: Standing;
  }

  interface Write {
    type: "typing";
    room: string;
  }
}
