"""Refusals that only HTTP has: requests, logins, and the tables of the dashboard with their filter words.

They stand in JSON errors, behind `!! code:` for curl, and on the page for errors.
"""

# Logging in

WRONG_LOGIN = "wrong name or password"
NO_PASSWORDS = "nobody has a password here: see `gateway passwd`"
PASSWORD_UNCHECKED = "the password could not be checked: try again"
TOKEN_UNKNOWN = "this token is not known here"
TOO_MANY_FAILURES = "too many failed attempts: try again in {seconds} s"
LOGIN_NAME = "a name has 1 to {most} bytes and no control characters"
WRONG_KEY = "wrong key"
CSRF_WRONG = "the CSRF token is missing or not this session's: reload the page"
NOT_LOGGED_IN = "not logged in"
LINK_IS = "the link is {problem}"
NAME_AND_PASSWORD = "name and password are expected, as two texts"
FIELD_ONCE = "each field is expected once"
NOT_A_TOKEN = "this is not a token"
LINK_OR_PASSWORD = "the token of a link is expected, or a name and a password"
MEMBER_NO_DASHBOARD = "a member has no dashboard: /login in the chat gives you your name"
LOGOUT_UNSTORED = "logged out, but that is not stored yet: a restart before it is would undo it ({why})"
NO_SUCH_SESSION = "there is no such session: it may be over already"

# Requests

ERROR_TITLES = {
    400: "Not understood",
    401: "Please log in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Out of date",
    413: "Too much",
    415: "Not understood",
    429: "Too fast",
    500: "Something broke",
    503: "Not now",
}
"""The titles of the page for errors, by HTTP status; other statuses are titled as 400 and 500."""
TRIES_AGAIN = "This page tries again by itself."
NOT_UNDERSTOOD = "not understood"
LOG_IN_FIRST = "log in first"
NOT_ALLOWED = "this is not allowed"
NOTHING_HERE = "there is nothing here"
METHOD_NOT_TAKEN = "this address does not accept this method"
MOMENT_GONE = "this frozen moment has expired: go back to live, or freeze again"
BODY_OVER_LIMIT = "the body is too long"
HOW_TO_POST = (
    "multipart is not accepted: send the text itself (curl --data-binary 'hello' URL) or JSON with its content "
    'type (curl --json \'{"text":"hello"}\' URL)'
)
NO_COMPRESSION = "compressed bodies are not accepted"
BODY_BROKEN = "the body is broken"
BODY_TOO_LONG = "the body is longer than {limit} bytes"
BODY_SLOW = "the body took too long"
CHARSET_UNKNOWN = "the charset {charset} is unknown: send UTF-8"
UNKNOWN_PARAMETER = "unknown query parameter {name!r}; this address takes {takes}"
REPEATED_PARAMETER = "query parameter {name!r} is given more than once: give it once"
UPGRADE_HAS_BODY = "an upgrade has no body"
WEBSOCKET_VERSION_OF_HTTP = "WebSockets need HTTP/1.1"
NOT_AN_UPGRADE = "not an upgrade to WebSocket"
WEBSOCKET_HEADERS = "the WebSocket version or key is missing or wrong"
HEADER_TOO_LONG = "the header is longer than {limit:,} bytes: delete this site's cookies"
ONE_HOST = "a request has exactly one Host header"
HOST_DIFFERS = "the request's address and its Host header differ"
HOST_NOT_A_NAME = "the Host header is not a name or an address"
HOST_NOT_OURS = "the Host {host} is not one of this gateway's names; add it to web.hosts"
FOREIGN_ORIGIN = (
    "a page of another site may not do this: its Origin is {origin}, but the Host asked for is {host}; let "
    "the proxy pass Host on with its port, or add the origin to web.origins"
)
FOREIGN_PAGE = "a page of another site may not do this"
COOKIE_WANTS_ORIGIN = "a WebSocket with a cookie needs an Origin"
NOT_AT_LEAST = "{name} is not a whole number of at least {least}"
NOT_AT_MOST = "{name} is at most {top}"
NOT_ONE_OF = "{name} is one of {known}"
BODY_UNEXPECTED = "the body is not what is expected: {problem}"
FORM_EXPECTED = "a form is expected"
FORM_BROKEN = "the form is broken"
HELLO_FIRST = "hello comes first"
FRAME_SLOW = "a frame took too long"
REQUEST_FAILED = "the gateway failed on this request"

# Rooms

CURSOR_OF_SEARCH = "cursor goes on with a search: ask with the same q"
ONE_PLACE_OR = " or by "
ONE_PLACE = "ask by {places}, not by both"
SEARCH_WITHIN_Q = "a search takes since: and before: within q, not {filter}"
SEARCH_ONE_ROOM = "this address searches {room} alone: leave room: out"
PLACE_GONE = "the room is not at that place (any more): read it anew without after"
NOT_A_PLACE = "a place in a room is written epoch:seq, as /r/ROOM/messages tells both"

# The dashboard

RESULTS = {
    "kicked": "Kicked.",
    "done": "Done.",
    "gone": "Already gone.",
    "refused": "Refused.",
    "banned": "Banned.",
    "muted": "Muted.",
    "lifted": "Lifted.",
    "ended": "The session is ended.",
    "announced": "Announced.",
    "redacted": "The message is removed.",
}
"""The results of a form without script, as the page that it leads back to shows them."""
EXACTLY_ONE_TARGET = "say exactly one of nick, address and connection"
CURSOR_NOT_OURS = "the cursor is not one of ours"
AUDIT_QUERY_LONG = "at most {words} words, {characters} characters"
CURSOR_OF_ANOTHER_ORDER = "the cursor belongs to another order"
CANNOT_SORT = "cannot sort by {column!r}: one of {columns}"
CONNECTION_LONG_GONE = "there is no such connection: it may have closed long ago"
BAN_GOES_BY = "a ban goes by one of {ways}"
SAY_WHO_IS_MEANT = "say who is meant, by one of {ways}"
NOT_A_DURATION = "a duration is written 90s, 10m, 12h or 30d; empty: for ever"
SAY_WHICH_NUMBER = "say which message by its number, 512"
NOT_A_DOOR = "a door is one of {doors}"
WATCHER_WENT = "the watcher has gone"
WATCH_TIME_OVER = "ten minutes are over"
WATCHER_LOGGED_OUT = "your session is over"

# Filter words

FILTER_LONG = "this is too long"
FILTER_MOST_CHARACTERS = "at most {most} characters"
FILTER_WORDS = "too many words"
FILTER_MOST_WORDS = "at most {most}"
FILTER_UNKNOWN_FIELD = "unknown field {name!r}"
FILTER_FIELDS = "fields are {names}"
FILTER_SIGN = "{name} does not go with {sign}"
FILTER_WRITE = "write {example}"
FILTER_VALUE_MISSING = "the value is missing"
FILTER_NOTHING = "there is nothing to look for"
FILTER_WRITE_A_WORD = "write a name, or a word like door:web"
FILTER_QUOTE_INSIDE = "a quote in the middle"
FILTER_QUOTE_WHOLE = 'quote the whole value: name:"…"'
FILTER_QUOTE_ENDLESS = "the quote does not end"
FILTER_CLOSE_QUOTE = 'close it with "'
FILTER_NO_SUCH = "there is no {word}"
FILTER_ONE_OF = "one of {words}"
FILTER_NEITHER = "{words!r} is neither"
FILTER_YES_OR_NO = "yes or no"
FILTER_NOT_A_QUANTITY = "{words!r} is not such a quantity"
FILTER_DURATION = "a number with s, m, h, d or w: 90s, 5m, 1h30m"
FILTER_SHORT_DURATION = "a number with ms or s: 200ms, 1.5s"
FILTER_BYTES = "a number of bytes, with kB, MB or GB (1000), KiB, MiB or GiB (1024): 64k, 64KiB"
FILTER_NUMBER = "a number, with k or M: 100, 2k"
FILTER_NOT_A_NETWORK = "{words!r} is not a network"
FILTER_WRITE_NETWORK = "write ip:10.0.0.0/8"
FILTER_NOT_AN_ADDRESS = "{words!r} is not an address"
FILTER_WRITE_ADDRESS = "write ip:10.0.0.7, ip:10.0.* or ip:10.0.0.0/8"
