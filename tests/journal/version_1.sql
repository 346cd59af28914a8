PRAGMA application_id = 1197569125;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    source TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    result TEXT NOT NULL
);
INSERT INTO "audit" VALUES(1,1790000000011,'otto','console','ban','bob','spam','done');
CREATE TABLE bans (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    identity TEXT NOT NULL,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    created INTEGER NOT NULL,
    until INTEGER
) WITHOUT ROWID;
INSERT INTO "bans" VALUES('00ff','nick','bob','','spam','otto',1790000000011,NULL);
CREATE TABLE messages (
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    nick TEXT NOT NULL,
    door TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID;
INSERT INTO "messages" VALUES(1,1,1790000000001,'ana','web','say','line 1');
INSERT INTO "messages" VALUES(1,2,1790000000002,'ana','web','say','line 2');
INSERT INTO "messages" VALUES(1,3,1790000000003,'ana','web','say','line 3');
INSERT INTO "messages" VALUES(2,1,1790000000009,'bob','tcp','action','waves');
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('boot','');
INSERT INTO "meta" VALUES('checkpoints','1');
INSERT INTO "meta" VALUES('clean','yes');
INSERT INTO "meta" VALUES('durability','process');
INSERT INTO "meta" VALUES('mark','');
INSERT INTO "meta" VALUES('mark_next','');
INSERT INTO "meta" VALUES('seed','lzvZ3iYGcncZ3OYsjPZatY8XTnz1EMd8okl9Ux8AY_k');
INSERT INTO "meta" VALUES('time','');
CREATE TABLE mutes (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    identity TEXT NOT NULL,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    created INTEGER NOT NULL,
    until INTEGER
) WITHOUT ROWID;
CREATE TABLE people (
    identity TEXT PRIMARY KEY,
    nick TEXT NOT NULL,
    rooms TEXT NOT NULL,
    seen INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "people" VALUES('ab12','ana','[["lobby", "e", 3]]',1790000000010);
CREATE TABLE receipts (
    identity TEXT NOT NULL,
    id TEXT NOT NULL,
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    PRIMARY KEY (identity, id)
) WITHOUT ROWID;
INSERT INTO "receipts" VALUES('ab12','c1',1,1,1790000000001);
INSERT INTO "receipts" VALUES('ab12','c2',1,2,1790000000002);
INSERT INTO "receipts" VALUES('ab12','c3',1,3,1790000000003);
CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    floor INTEGER NOT NULL DEFAULT 0,
    topic TEXT NOT NULL DEFAULT ''
);
INSERT INTO "rooms" VALUES(1,'lobby','CdnCWtqcr59johN-',0,'');
INSERT INTO "rooms" VALUES(2,'ops','wSJoOqoSFK1BciNF',0,'deploy day');
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
COMMIT;
