"""Refusals, the same words on every door: behind `!! code:` at a terminal, as `text` in objects and HTTP errors.

Each says what was wrong and, where something helps, what to do.
"""

# What was sent

TOO_LONG = "{size:,} bytes, limit {limit:,}; not sent"
LINE_TOO_LONG = "more than {line:,} bytes in a line, limit {limit:,} of text; not sent"
PASTE_PAGE = "put it into the box or the text: over 4,000 bytes it becomes a paste by itself"
PASTES_FULL = "too many long texts are being sent at the moment, try again"
NO_SUCH_PASTE = "message {seq} in {room} is not a paste, or so old that only its beginning is kept"
EMPTY_TEXT = "that text is empty; not sent"
HALF_A_PAIR = "half a surrogate pair is not text; not sent"
HELLO_TWICE = "hello was said before"
NO_SUCH_TYPE = "there is no type {type}"
BAD_MESSAGES = "{count} in {seconds:.0f} s"
TOO_FAST = "too fast, wait {seconds:.1f} s"
JOURNAL_BEHIND = "the journal is behind, try again"
NO_REDIS_PACKAGE = "--redis needs the Python package redis: pip install 'gateway[redis]'"
BACKPLANE_FAILED = "{problem}; what you sent may not have been posted"
JOURNAL_FAILED = "the journal failed: {problem}"
TOO_MANY_IDS = "more than {limit:,} ids in two minutes, wait a little"

# Searches

SAY_WHAT_TO_FIND = "say which words to look for, as in /search deploy failed from:ana since:3d"
INDEX_INCOMPLETE = "the index is being made from the journal: not everything is found yet"
QUERY_TOO_LONG = "a search has at most {words} words and {rooms} rooms"
FILTER_EMPTY = "{filter}: what? write it without a blank: {filter}:NAME"
NO_MOMENT = "{filter}:{words} is not a time: write {filter}:3d, {filter}:14:00 or {filter}:2026-11-24"
TOO_MANY_WAIT = "too many others wait for the same: try again in a few seconds"
SEARCH_RUNS = "wait for the result of your last search"
SEARCHES_TOO_FAST = "too many searches, wait {seconds:.1f} s"
SEARCH_STOPPED = "the search was stopped after 1 s: use rarer words, from:NAME, or since:3d before:2d"
NO_INDEX = "this gateway keeps no index"
INDEX_FAILED = "the index failed: {problem}"
LOG_RUNS = "{most} downloads of a room's log at a time: wait for one to end"
LOG_SINCE_WHEN = "since={words} is not a place to begin: write since=512 (after that message), 3d, 14:00 or 2026-11-24"

# Rooms

JOIN_FIRST = "join a room first"
JOIN_LOBBY_FIRST = "join a room first: /join lobby"
NOT_IN_ROOM = "you are not in {room}, join it first"
ROOM_INVALID = (
    "a room name is 1 to {most} characters: a-z, 0-9, dots, underscores and hyphens; it starts with a letter or a digit"
)
NO_SUCH_ROOM = "there is no room {room}"
NO_SUCH_MESSAGE = "there is no message {seq} in {room}"
EPOCH_CHANGED = "the room has begun a new epoch: read it anew without bounds"
NOT_YOURS = "message {seq} is not yours: only its author can take it back"
TOO_LATE = "message {seq} is older than 10 minutes: only an operator can remove it now"
NOTHING_SAID = "you have said nothing here lately that could be taken back"
SAY_WHICH_MESSAGE = "say which message: /delete 512, or /delete for your last one"
NO_NEW_ROOMS = "there is no room {room}, and making rooms is switched off"
TOO_MANY_ROOMS = "there are {count} rooms already"
IN_TOO_MANY_ROOMS = "you are in {count} rooms, part from one first"

# Names and tokens

NICK_TAKEN = "{nick} is taken, try {other}"
NICK_KEPT = "{why}, try {other}"
NICK_TAKEN_OTHER = "another one"
NICK_OWNED = "{nick} belongs to an account: /login {nick} PASSWORD if it is yours"
NICK_LOST = "{lost} was taken while you were away; you are {nick}"
NICK_LOST_POSTER = "{nick} was taken while you were away, come in and take another"
NICK_HERE = "{nick} is here in person, post under another name"
NICK_GUEST = "{guest}… names are given, not chosen, and {nick} looks like one"
NICK_RESERVED = "{nick} is the server's own name or looks like it; choose another"
NICK_EMPTY = "say a name: 1 to 32 letters, digits, dots, underscores and hyphens"
NICK_BLANK = "no blanks in a name: a hyphen or an underscore joins words"
NICK_LONG = "{count} characters, {most} at most"
NICK_BYTES = "{count} bytes, {most} at most"
NICK_START = "a name begins with a letter or a digit"
NICK_CHARACTER = "{what} cannot be in a name: letters, digits, dots, underscores and hyphens"
NICK_MARKS = "so many marks on a letter"
NO_GUEST_NAME = "every guest name is taken"
LEFT_AGO = "{nick} left {ago} ago"
LEFT_AGO_UNTIL = "{nick} left {ago} ago; the name is theirs until {until}"
NOBODY_WROTE = "nobody has written to you privately yet: /msg NICK TEXT begins"
HAS_LEFT = "{nick} has left"
NOBODY_CALLED = "nobody here is called {nick}"
POSTED_BY_HTTP = "{nick} posted by HTTP and cannot be written to"
DOES_NOT_READ = "{nick} does not read at the moment, try again"
TOKEN_INVALID = "this token is unknown or expired"
TOKEN_INVALID_NEW = "this token is unknown or expired: you are somebody new"

# The gateway

STOPPING = "the gateway stops"
CLOSED_FOR_NOW = "this door is closed for now, try again later"
DOORS_CLOSED = "closed for now: {doors}"
NOT_ACCEPTING = "newcomers are not accepted at the moment"
MAINTENANCE = "maintenance, try again later"
FULL = "try again in 30 s"
TOO_MANY_CONNECTIONS = "{count} connections from your address already"
RESTARTING = "the gateway is restarting; reconnect in {seconds} s"
DOOR_CLOSES = "this door closes for a while; reconnect in {seconds} s"
THEN_RESUME = ", then /resume {code}"
REPLACED = "you are connected {count} times already, and this was the first"
STALLED = "nothing was read for {time}"
