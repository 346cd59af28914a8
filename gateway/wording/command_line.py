"""What a person at the command line reads: settings that are wrong, a start that fails, and what each command tells.

Errors are one line and end in what to do. The help of commands and settings stands beside them, in tables of its own
(`cli.main`, `config.settings`, and the forms of values in `config.values`).
"""

# The gateway's health, on the dashboard and in `gateway status`

LOOP_IS_LATE = "the event loop is {ms:,.0f} ms late"
SHARE_OF_MEMORY = "{share:.0%} of memory are in use"
SHARE_OF_DESCRIPTORS = "{share:.0%} of the file descriptors are in use"
ACCEPT_QUEUE = "the accept queue is {share:.0%} full"

# Standard output of the start

READY = "ready: {doors}"
DASHBOARD_LINK = "Dashboard (link works once, for 15 minutes): {link}"
DATA_IN = "data in {folder}; Ctrl-C stops"
NOTHING_KEPT = "nothing is kept; Ctrl-C stops"
FROM_ELSEWHERE = "{words}; from other machines: {address}"

# The command line

FOLDER_GONE = "the folder it was started in is gone: give --data, or start it in another one"
CANNOT_WRITE_OUTPUT = "cannot write the output: "
NEAREST_IS = ", the nearest is {meant}"
NO_COMMAND = "no command {name!r}{advice} (gateway --help lists all)"
NOT_FOR_THE_SERVICE = "warning: set here, and not for the service: {settings}"
NEEDS_A_NAME = "--role and --token need a NAME"
MEMBER_HAS_NO_TOKEN = "a member owns a name and has no token: --role viewer reads the dashboard"
FLAGS_LISTED = "{message} ({prog} --help lists the flags)"
UNEXPECTED_WORD = "unexpected word {unknown!r}"
NO_FLAG = "no flag {unknown}, the nearest is {near}"

# Settings

ACCOUNT_NOT_WRITTEN = "the account at place {place} is not written NAME:ROLE:HASH"
ACCOUNT_TWICE = "{name} is there twice"
NOT_A_HASH = "this is not an argon2 hash: {advice}"
DOLLARS_LOST = "its dollar signs were lost or doubled on the way here: put it between single quotes"
COMMAND_PRINTS_ONE = "`{command}` prints one"
HASH_OF_NOT_A_HASH = "the hash of {name} is not an argon2 hash: {advice}"
ACCOUNT_TWICE_BY_CASE = "{name} is there twice: upper and lower case are the same name"
TOKEN_NOT_WRITTEN = (
    "the token at place {place} is not name:role:sha256 with 64 hex digits: `gateway passwd --token NAME` makes one"
)
NOT_AN_ACCOUNT_NAME = (
    "{name!r} is not a valid account name: at most 32 letters, digits, '.', '_' and '-', first a letter or "
    "digit, and not {link!r}"
)
NOT_A_ROLE = "the role of {name} is none of {roles}"
ORCHESTRATOR_MADE = "left alone, made by an orchestrator and not by you: {names}"
CANNOT_READ_AGAIN = "cannot read {file} again: it is gone, or not a plain file"
SETTINGS_UTF16 = "{config} is UTF-16: save it as UTF-8"
CANNOT_READ = "cannot read {config}: {why}"
SETTINGS_NOT_UTF8 = "{config} is not UTF-8 (line {line}): save it as UTF-8"
SETTINGS_NOT_TOML = "{config} is not TOML: {problem}"
SETTING_IS_NOT = "{value} ({source}) is not {form}"
UNKNOWN_VARIABLE = "unknown variable {name}: the nearest known one is {near}"
KEY_IS_A_SECTION = "{name} ({source}) is a section: write [{name}] and its keys below"
UNKNOWN_KEY = "unknown key {name} ({source}): the nearest known one is {near}"
EVERY_DOOR_OFF = "every door is off: one of {doors} needs a port"
SAME_PORT = "{other} and {name} are both {port}: a port serves one door"
NEEDS_A_CERTIFICATE = "{name} needs a certificate: give --tls-cert FILE and --tls-key FILE"
KEY_WITHOUT_CERTIFICATE = "tls_key is the key of a certificate: give --tls-cert FILE as well"
CERTIFICATE_UNUSED = "tls_cert is given, and no port uses it: web_port or one of {doors}"
NO_HOME_FOR_JOURNAL = "no home folder is known for the journal: give --data DIR, or --memory to keep nothing"
ROOT_TWICE = "admin.password_hash and admin.accounts.{root} are both the account {root!r}: leave one out"
WORKERS_NEED_REDIS = (
    "workers share their journal in Redis: give --redis redis://localhost (apt-get install redis-server)"
)
FOR_ONE_PROCESS = "{name} is for one process: leave it out, or workers"
NO_HOME_FOR_PATH = "no home folder is known for {text!r}: write the whole path"
ALL_ADDRESSES = "'*' is written 0.0.0.0 for every IPv4 address and :: for every IPv6 one"
HOST_HAS_PORT = "{host!r} has a port: it belongs to --tcp-port, --telnet-port or --web-port"
VALUE_NOT_UTF8 = "the text is not UTF-8"
PATH_OF_OUR_OWN = "must not begin with /{first}, which is a path of the gateway's own"
MASTER_WANTED = "this command works on one Redis: give --redis the URL of the master, not of its sentinels"
NOT_A_REDIS_URL = "not a Redis URL"
NOT_THE_KEY = (
    "tls_key: {key} is not the key of the first certificate in {cert}; the gateway's own comes first there, "
    "those of its issuers follow"
)
CERTIFICATE_NOT_TAKEN = "tls_cert, tls_key: OpenSSL rejects {cert} and {key}: {why}"
KEY_ENCRYPTED = (
    "tls_key: {key} is encrypted, and nobody is there to type its password: openssl pkey -in {key} -out PLAIN "
    "writes one that is not"
)
CERTIFICATE_UNREADABLE = "{setting}: cannot read {path}: {why}"
NOTHING_IN_PEM = "{setting}: no {what} in {path} (PEM, from -----BEGIN to -----END){elsewhere}"
KEY_NOT_NAMED = ", and tls_key names no other file"

# The start

INSTALLING_INTO = "installing the packages into {folder}; only the first start takes this minute"
CANNOT_MAKE_VENV = "cannot make .venv, see above"
PIP_FAILED = "pip could not install the packages, see above"
SOURCES_DO_NOT_COMPILE = "the sources do not compile, see above"
NO_VENV_YET = "gateway: this Python cannot make a .venv yet; first: sudo apt-get install {package}"
INSTALLING_PACKAGES = "installing with apt-get: {packages}"
NOT_A_HOST_NAME = "not a host name"
CANNOT_LISTEN_ON_NAME = "cannot listen on {host}: {why}; --host takes an address or a name of this machine"
CANNOT_LISTEN_ON = "cannot listen on {host}: {why}; --host takes an address of this machine"
OTHER_ADDRESS = "address: this machine does not have that one"
CANNOT_LISTEN_ON_PORT = "cannot listen on {host} port {port}: {why}; choose another {other}"
NO_SELECTOR = "this system has no {name}; --selector may be {has}"
SOCKET_OF_NO_DOOR = (
    "the socket for port {port} that was passed to the gateway belongs to no door: FileDescriptorName= is one "
    "of {names}, or one of the doors' ports is set to {port}"
)
SOCKET_NEEDS_CERTIFICATE = "a socket was passed for {name}, which needs a certificate: give --tls-cert FILE"
LISTEN_FDS_NO_NUMBER = "LISTEN_FDS is {count!r}, not a number of sockets"
PASSED_NO_SOCKET = "{what}, passed by LISTEN_FDS, is no socket: {why}"
PASSED_NOT_TCP = "is not TCP: its ListenStream= takes a port, or an address with one"
PASSED_DEAF = "does not listen: its unit needs ListenStream= and Accept=no"
PASSED_WRONG = "{what}, passed by LISTEN_FDS, {wrong}"
TOO_FEW_FILES = "this process may open {files} files: raise the limit to {least} or more (ulimit -n)"
CANNOT_USE_FOLDER = "cannot use the folder {folder}: {why}; {advice}"
FOLDER_IN_USE = "another gateway uses {folder}: give each its own --data"
CHECK_FOLDER = "check its folder's owner and mode"
CHOOSE_ANOTHER_FOLDER = "choose another folder with --data, or keep nothing with --memory"
FREE_SOME_SPACE = "free some space there"
CANNOT_USE_KEY = "cannot use the key {path}: {why}; {advice}"
NOT_A_KEY = "{path} is not a key of {size} bytes: restore it, or delete it and all tokens with it"
CANNOT_WRITE_PORTS = "cannot write the ports file {path}: {why}"
CLASSIC_NO_SERVICE = "--classic is for a terminal: it reports to no service manager"
FIXED_PORTS = "a socket unit needs fixed ports: 0 would be another one for the gateway than for systemd"
ONLY_OWNER_READS = "only its owner can read {path}: an installation that all can read needs no user"
OWNER_OF_FOLDER = "the owner of {folder}; a folder in {state} needs no user"
LOBBY_CANNOT_OPEN = "the lobby cannot be opened: {problem}"
TEMPLATES_MISSING = "the page templates are missing, neither in {folder} nor beside it: install the gateway again"
MEMORY_ROOMS = "the journal in memory holds {most} rooms, its most"
JOURNAL_LOCKED = (
    "journal: {path} is locked, probably by another gateway on this data folder: stop it, or choose another with --data"
)
JOURNAL_IS_DAMAGED = "is damaged ({problem})"
JOURNAL_CANNOT_BE_USED = "journal: {path} cannot be used ({trouble}): check its folder's owner, mode and free space"
JOURNAL_LEFT_ALONE = (
    "journal: {path} {fault}; it was left untouched: restore a backup, or move it away to begin a new one"
)
JOURNAL_ON_READ_ONLY = (
    "journal: {path} is on a read-only file system: choose another folder with --data, or keep nothing with --memory"
)
JOURNAL_READ_ONLY = "journal: {path} or its folder is read-only: give it to the gateway's user (chown, chmod)"
JOURNAL_NO_WAL = "journal: the file system of {path} allows no write-ahead log: choose a local --data"
DATABASE_GONE = "is gone, but its write-ahead log is there"
DATABASE_NOT_A_FILE = "is not a file"
DATABASE_EMPTY = "is empty"
DATABASE_NOT_SQLITE = "is not a SQLite database"
DATABASE_HEADER = "has a damaged header"
DATABASE_OF_ANOTHER = "belongs to another program"
DATABASE_NEWER = "was written by a newer gateway (schema {version}, this one knows {known})"
DATABASE_UNKNOWN = "has an unknown schema ({version})"
DATABASE_SHORT = "is cut short: {whole} of {total} pages"
DATABASE_WAL_HEADER = "has a write-ahead log with a damaged header"
REDIS_TOO_OLD = "Redis is version {version}: {least} or later is needed"
REDIS_CLUSTER = "Redis is a cluster, which is not supported: use one master (with replicas)"
REDIS_EVICTS = "Redis may throw messages away (maxmemory-policy {policy}): set its maxmemory-policy to noeviction"

# Passwords and tokens

PASSWORD_BYTES = "a password has 1 to {most:,} bytes"
PASSWORD_CONTROL = "a password has no control characters"
TOKEN_SHOWN_ONCE = "This is shown once: scripts send it as  Authorization: Bearer TOKEN"
TOKEN_SETTINGS = "\nFor the settings file:\n\n[admin]\ntokens = [{line}]\n\nMore tokens go into the same list."
ACCOUNT_SETTINGS = '\nFor the settings file:\n\n[admin.accounts.{name}]\nrole = "{role}"\nhash = "{hash}"'
PASSWORD_SETTINGS = '\nFor the settings file:\n\n[admin]\npassword_hash = "{hash}"'
PASSWORD_ENVIRONMENT = "\nor for the environment:\n\nGATEWAY_ADMIN__PASSWORD_HASH='{hash}'"
SAME_AGAIN = "The same again: "
NOT_THE_SAME = "the two passwords are not the same"
NO_PASSWORD = "no password was given"
PASSWORD_NOT_UTF8 = "the password is not UTF-8"
PASSWORD_LENGTH = "the password has {size} bytes: {least} to {most:,} are wanted"

# The screen of `gateway status`

STATUS_HEAD = "  gateway {version} at {page}, up {time}"
STATUS_CAUSE = "  {level}: {text}"
STATUS_UNKNOWN = "n/a"
STATUS_NODES = ("node", "health", "connections", "up", "version", "")
STATUS_NODE_MISSING = "missing"
STATUS_NODE_ASKED = "asked"
STATUS_CLOCK_OFF = "its clock is {time} off"
STATUS_DOORS = ("door", "address", "state", "connections", "opened in all")
STATUS_FIGURES = ("", "now", "highest", "limit", "in all")
STATUS_ROWS = {
    "connections": "connections",
    "messages_in": "messages in",
    "deliveries": "fan-out",
    "skipped": "skipped",
    "bytes_in": "bytes in",
    "bytes_out": "bytes out",
    "lag_p99": "lag p99",
    "slow": "slow readers",
    "loop_lag_p99_ms": "loop lag p99",
    "loop_lag_max_ms": "loop lag at worst",
    "rss_bytes": "memory",
    "fds": "file descriptors",
}
"""By the tile of the dashboard that it shows, from the first row to the last."""
STATUS_PER_SECOND = "{figure}/s"
STATUS_SLOWEST = ("slowest", "nick", "door", "address", "lag")
STATUS_CLOSED = ("last closed", "nick", "door", "address", "lasted", "ago", "reason")
STATUS_ENDED = "ended in all: {reasons}"
STATUS_REASON = "{count} {reason}"

# A running gateway: status, login-link

CANNOT_WRITE = "cannot write {path}: {why}"
LINK_FROM_ELSEWHERE = "gateway: from another machine: {elsewhere} in place of {host}"
GATEWAY_SILENT = "the gateway at {page} does not answer: {problem}"
GATEWAY_REFUSED = "the gateway at {page} refused: {problem}"
SOMETHING_ELSE_LISTENS = "something else listens there (it returned status {status} and no JSON of ours)"
NOT_A_GATEWAY_FILE = "{path} is no file of a gateway: it is a folder, a device or a pipe"
NO_GATEWAY_RUNS = "no gateway with a web door runs on {folder}; --data names another folder"
NOT_BY_A_GATEWAY = "it was not written by a gateway"
CANNOT_READ_FILE = "cannot read {what}: {why}"
OTHER_VERSION = "the gateway at {page} runs another version, or is none: its summary lacks {field}"
GATEWAY_HANGS = "the gateway at {page} accepts nobody (SIGUSR2?), or hangs: no answer in {seconds:.0f} s"

# The store: backup, export, import, new-epoch

NO_STORE = "with --memory nothing is kept: there is no store"
ANOTHER_GATEWAY = "the gateway at {page} is another one, or of another version"
NO_JOURNAL_THERE = "there is no journal in {folder}: --data names another folder"
BACKUP_NEEDS_FILE = "backup writes a file: name it (`gateway export` writes to standard output)"
BACKUP_WITH_REDIS = "with --redis there is no file to copy: back up Redis itself, or use `gateway export`"
BACKUP_SUPERSEDED = "another backup has been begun since: look at that one"
BACKUP_GATEWAY_WENT = "the gateway went away before the backup was complete: {why}"
BACKUP_BEING_WRITTEN = "another command is writing {place}: wait until it is done"
NO_FOLDER = "there is no folder {folder}: make it first"
IS_A_FOLDER = "{place} is a folder: name a file in it"
NO_PLAIN_FILE = "{place} is no plain file: name one that is, or one that is not there yet"
IN_DATA_FOLDER = "{place} would be in the gateway's own data folder, from which removed texts must go: choose another"
THERE_ALREADY = "{place} is there already: name another file, or add --force to replace it"
TOO_LITTLE_SPACE = "{folder} has {free} free, {needed} are needed there"
THERE_BY_NOW = "{place} is there by now: it was left alone"
NO_OUTPUT = "there is no standard output: name a file"
NO_TEMPORARY_FOLDER = "no folder for temporary files can be written to: set TMPDIR, or name the file of the export"
NAME_OF_OUR_OWN = "the gateway has a {name} of its own: name a file elsewhere"
NO_INPUT = "name the file of an export, or pipe one in"
NOTHING_IMPORTED = "nothing was imported: {problem}"
NEW_EPOCHS_GIVEN = (
    "Every room has a new epoch, because the gateway that was exported went on (--no-new-epochs keeps them)."
)
REDIS_KEEPS_LESS = (
    "A room has {count:,} messages, and Redis will keep about {kept:,}: raise journal.stream_messages before "
    "gateways start."
)
STORE_CANNOT_BE_FILLED = "the store cannot be filled: {problem}"
STORE_NOT_EMPTY = "the store is not empty ({what}): import into a new folder, with --data"
CONTRADICTS = "it contradicts an earlier line ({problem})"
GATEWAYS_ON_REDIS = "gateways are running on the Redis at {address}: stop them first"
REDIS_NOT_EMPTY = "the Redis at {address} is not empty (it has {words}): use another, or another db"
REDIS_FILLED = "the Redis at {address} is not empty any more"
EXPORT_CUT = "the export ends before its `end`: it was cut off"
MORE_AFTER_END = "there is more after the `end`"
NOT_AN_EXPORT = "this is not an export of a gateway"
LINE_OF_EXPORT_LONG = "it is too long"
LINE_OF_EXPORT_CUT = "the export ends in the middle of it: it was cut off"
LINES_MISSING = "{wanted} lines should stand before it, but {count} do"
ROOM_OUT_OF_ORDER = "room {room} comes after room {before}: rooms go by name, each once"
NOT_IN_EXPORT = "there is no message {seq} in a room {room}"
ENTRY_OUT_OF_ORDER = "entry {number} comes after entry {before}"
EXPORT_BEGINS = "an export begins with its line of type gateway, the only one"
EXPORT_FORMAT = "it is of format {format}, and this gateway reads format {known}"
LINE_MISPLACED = "a line of type {type} does not belong here"
MESSAGE_MISPLACED = "a message of room {room} stands among those of room {current}"
MESSAGE_OUT_OF_ORDER = "message {seq} comes after message {before}: numbers have no holes"
TEXT_OR_REMOVED = "a message has either a text or `removed`"
REMOVED_HAS_REASON = "a removed message has a reason and no paste"
TEXT_CONTROL = "its text has control characters, which would reach terminals"
FIELD_CONTROL = "a field has control characters: {text}"
HEAD_DIFFERS = "the messages of room {room} end with {seq}, its head is {head}"
