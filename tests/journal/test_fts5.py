"""What is found in the index, what is not, and what is left of a message that was removed."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.ports.index import Found, SearchQuery
from gateway.core.ports.journal import RoomRecord
from gateway.core.protocol.message import Message, PasteSize
from gateway.journal import fts5, inserts
from gateway.journal.fts5 import IndexStore, Outdated
from gateway.journal.index import connect, make_tables


def message(seq: int, text: str, nick: str = "ana", room: str = "ops") -> Message:
    return Message(room, 1000 * seq, nick, "tcp", "say", text, seq=seq)


def filled(*texts: str, store: IndexStore | None = None) -> IndexStore:
    store = store or IndexStore(make_tables(connect(":memory:")))
    store.add([message(seq, text) for seq, text in enumerate(texts, 1)], None)
    return store


def find(store: IndexStore, *words: str, rooms: tuple[str, ...] = ("ops",), limit: int = 20, **more: object) -> Found:
    return store.find(SearchQuery(rooms, words, limit=limit, **more), lambda: False)  # type: ignore[arg-type]


def seqs(found: Found) -> list[int]:
    return [message.seq for message in found.messages]


TEXTS = (
    "hello world", "你好世界", "東京タワーへ行く", "안녕하세요 여러분", "Café déjà vu", "สวัสดีชาวโลก",
    'say "quoted" NEAR *', "foo-bar baz", "𠮷野家で", "a_b.c ünïcode", "ｶﾀｶﾅ", "Straße", "重跑gen-itgc后50条",
)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("hello",), [1]), (("WORLD", "hello"), [1]), (("hell", "wor"), [1]), (("he",), []), (("ello",), []),
        (("foo-ba",), []), (("foo-bar b", "foo"), []), (("ünïc",), [10]), (("hello", "nobody"), []),
        (("世界",), [2]), (("好世",), [2]), (("界世",), []), (("你",), [2]),
        (("東京",), [3]), (("タワー",), [3]), (("行く", "東"), [3]), (("京都",), []),
        (("하세요",), [4]), (("여러분",), [4]), (("cafe",), [5]), (("CAFÉ", "deja"), [5]), (("ชาว",), [6]),
        (('"quoted"',), [7]), (("NEAR",), [7]), (("foo-bar",), [8]), (("bar-foo",), []), (("foo", "baz"), [8]),
        (("𠮷野",), [9]), (("unicode",), [10]), (("ｶﾅ",), [11]), (("straße",), [12]),
        (("itgc",), [13]), (("gen",), [13]), (("重跑",), [13]), (("50",), [13]), (("跑gen",), [13]),
    ],
)  # fmt: skip
def test_words_are_found_in_any_script(words: tuple[str, ...], found: list[int]) -> None:
    store = filled(*TEXTS)
    assert seqs(find(store, *words)) == found
    for each in find(store, *words).messages:
        assert each == message(each.seq, TEXTS[each.seq - 1])


@pytest.mark.parametrize("characters", [range(0x4E00, 0xA000, 61), range(0x3041, 0x3097, 5), range(0xAC00, 0xD7A4, 97)])
def test_no_character_is_dropped(characters: range) -> None:
    text = "".join(map(chr, characters))
    store = filled("before", text, "after")
    assert [each for each in text if seqs(find(store, each)) != [2]] == []
    assert seqs(find(store, text[20:25] if len(text) > 25 else text[2:5])) == [2]


@pytest.mark.parametrize(
    "word", ['"', 'a"b', "NEAR(hello", "hello*", "-hello", "{text}:hello", "OR", "(", "^hello", "+", "key:r1", "'", "%"]
)
def test_no_word_is_syntax(word: str) -> None:
    store = filled("nothing of that", "hello")
    assert set(seqs(find(store, word, "hello"))) <= {2}
    assert 1 not in seqs(find(store, word))


def test_a_paste_is_found_by_its_beginning_and_knows_its_size() -> None:
    store = IndexStore(make_tables(connect(":memory:")))
    paste = Message("ops", 1, "ana", "web", "say", "Traceback\n  line", seq=1, paste=PasteSize(5000, 70))
    store.add([paste], None)
    assert find(store, "traceback").messages == [paste]


def test_a_paste_is_found_by_all_of_it_and_shown_by_its_beginning() -> None:
    store = filled("one")
    size = PasteSize(60_000, 5000)
    paste = Message(
        "ops", 1, "ana", "web", "say", "你好\n line", seq=2, paste=size, whole="你好\n line\n" * 5000 + "ends 這裡"
    )
    store.add([paste], None)
    (found,) = find(store, "ends", "這裡", "你好").messages
    assert (found.text, found.paste, found.whole) == ("你好\n line", size, "")
    assert store.remove([("ops", 2)], 1)
    assert find(store, "ends").messages == find(store, "這裡").messages == []


def test_a_room_or_an_author_is_not_found_as_a_word() -> None:
    assert seqs(find(filled("hello"), "r1")) == []
    assert seqs(find(filled("hello"), fts5._author("ana"))) == []


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fts5, "PART_MESSAGES", 10)


@pytest.mark.usefixtures("small_parts")
def test_pages_over_many_parts_have_each_message_once_newest_first() -> None:
    store = filled(*(f"word {number % 2}" for number in range(1, 96)))
    pages: list[int] = []
    below = None
    while True:
        found = find(store, "word", "1", limit=7, below=below)
        pages += seqs(found)
        if not found.more:
            break
        below = pages[-1]
    assert pages == list(range(95, 0, -2))


@pytest.mark.usefixtures("small_parts")
def test_filters_of_author_and_time() -> None:
    store = IndexStore(make_tables(connect(":memory:")))
    store.add([message(seq, "word", "Ana" if seq % 2 else "bob-1") for seq in range(1, 41)], None)
    assert seqs(find(store, "word", nicks=("ANA",), limit=2)) == [39, 37]
    assert seqs(find(store, nicks=("bob-1",), limit=1)) == [40]
    assert seqs(find(store, nicks=("bob",))) == []
    assert seqs(find(store, nicks=("bob-1", "ana"), limit=2)) == [40, 39]
    assert seqs(find(store, "word", since=14_000, before=17_000)) == [16, 15, 14]


def test_several_rooms_are_merged_by_time() -> None:
    store = IndexStore(make_tables(connect(":memory:")))
    store.add([message(seq, "word", room="late") for seq in range(5, 8)], 0)
    for room, numbers in (("late", range(1, 8)), ("ops", range(1, 6))):
        store.add([message(seq, "word", room=room) for seq in numbers], None)
    found = find(store, "word", rooms=("ops", "late"), limit=5)
    assert [(each.room, each.seq) for each in found.messages][:2] == [("late", 7), ("late", 6)]
    assert [each.ts for each in found.messages] == [7000, 6000, 5000, 5000, 4000]
    assert found.more


def test_a_search_is_given_up_between_two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fts5, "PART_MESSAGES", 4)
    store = filled(*(["word"] * 20))
    looks = iter((False, False, True))
    with pytest.raises(TimeoutError):
        store.find(SearchQuery(("ops",), ("word",)), lambda: next(looks))


def test_only_what_follows_is_taken_and_what_is_missing_is_told() -> None:
    store = filled("one", "two")
    assert store.add([message(2, "two"), message(3, "three")], None) == {}
    assert store.add([message(5, "five"), message(1, "one", room="new"), message(7, "x", room="far")], None) == {
        "ops": 3,
        "far": 0,
    }
    assert seqs(find(store, "five")) == []
    assert store.add([message(5, "five"), message(6, "six")], 2) == {}  # the journal has no 4 any more
    assert seqs(find(store, "five")) == [5]
    assert store.add([message(9, "nine")], 8) == {"ops": 6}


def test_a_message_without_text_is_counted_and_not_found() -> None:
    store = filled("one", "", "three")
    assert store.add([message(4, "four")], None) == {}
    assert seqs(find(store, nicks=("ana",))) == [4, 3, 1]


def record(room: str, first: int, head: int) -> RoomRecord:
    return RoomRecord(room, "epoch", first, head, "", ())


def test_comparing_tells_which_rooms_lack_their_end() -> None:
    store = filled("one", "two")
    assert store.compare("w", [record("ops", 1, 2), record("new", 4, 9), record("empty", 1, 0)]) == {"new": 3}
    assert store.compare("w", [record("ops", 2, 7), record("new", 4, 9), record("empty", 1, 0)]) == {"ops": 2, "new": 3}
    assert seqs(find(store, nicks=("ana",))) == [2]


@pytest.mark.parametrize(
    ("witness", "records"), [("other", [record("ops", 1, 2)]), ("w", [record("ops", 1, 1)]), ("w", [])]
)
def test_an_index_of_another_journal_is_outdated(witness: str, records: list[RoomRecord]) -> None:
    store = filled("one", "two")
    store.compare("w", [record("ops", 1, 2)])
    with pytest.raises(Outdated):
        store.compare(witness, records)


@pytest.mark.usefixtures("small_parts")
def test_an_index_in_memory_is_bounded() -> None:
    store = filled(*(["word"] * 100), store=IndexStore(make_tables(connect(":memory:")), most_parts=3))
    assert len(seqs(find(store, "word", limit=100))) <= 36
    assert seqs(find(store, "word", limit=1)) == [100]


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[IndexStore]:
    connection = connect(tmp_path / "index.sqlite3")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    yield IndexStore(make_tables(connection))
    connection.close()


def in_files(folder: Path, word: str) -> bool:
    return any(word.encode() in path.read_bytes() for path in folder.iterdir())


SECRETS = ("zebra77secret", "hunter2 zebra88 " * 200, "密碼是老虎")


@pytest.mark.usefixtures("small_parts")
def test_no_word_of_a_removed_message_is_left_in_any_file(on_disk: IndexStore, tmp_path: Path) -> None:
    for number in range(1, 41):
        text = SECRETS[number % 3] if number in (15, 16, 17) else f"common words of message {number}"
        on_disk.add([message(number, text)], None)
    assert in_files(tmp_path, "zebra77secret") and in_files(tmp_path, "zebra88") and in_files(tmp_path, "虎")
    on_disk.remove([("ops", 15), ("ops", 16), ("ops", 17), ("ops", 999), ("nowhere", 1)], 8)
    for word in ("zebra", "zebra77", "hunter", "secret", "密", "虎"):
        assert not in_files(tmp_path, word), word
    assert seqs(find(on_disk, "common", limit=100)) == [*range(40, 17, -1), *range(14, 0, -1)]
    assert on_disk.removals == 8


@pytest.mark.usefixtures("small_parts")
def test_what_has_expired_is_hidden_at_once_and_leaves_the_file(on_disk: IndexStore, tmp_path: Path) -> None:
    filled(*(f"common early{number}" for number in range(1, 41)), store=on_disk)
    parts = on_disk.forget({"ops": 26, "nowhere": 5})
    assert seqs(find(on_disk, "common", limit=100)) == [*range(40, 25, -1)]
    for part in parts:
        on_disk.sweep(part)
    assert not any(in_files(tmp_path, f"early{number}") for number in (12, 23, 25))
    assert in_files(tmp_path, "early26")
    assert seqs(find(on_disk, "common", limit=100)) == [*range(40, 25, -1)]
    tables = {name for (name,) in on_disk.connection.execute("SELECT name FROM sqlite_master")}
    assert "lines_1" not in tables and "words_1" not in tables
    assert on_disk.add([message(41, "common")], None) == {}


def test_a_failed_batch_leaves_nothing_behind() -> None:
    store = filled("one")
    store.connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(sqlite3.OperationalError):
        store.add([message(seq, "long " * 800) for seq in range(2, 400)], None)
    store.connection.execute("PRAGMA max_page_count = 1000000")
    assert seqs(find(store, "long")) == []
    assert store.add([message(2, "two")], None) == {}
    assert seqs(find(store, nicks=("ana",))) == [2, 1]


def test_batches_of_any_size_are_stored_with_a_few_statements() -> None:
    store, seq, seen = IndexStore(make_tables(connect(":memory:"))), 0, set()
    store.connection.set_trace_callback(lambda sql: seen.add(sql.count(", NULL)")))  # rows: no message is a paste
    for size in range(1, 120):
        store.add([message(seq + number, f"word{seq + number}") for number in range(1, size + 1)], None)
        seq += size
    assert seen - {0} <= set(inserts.ROWS)
    assert seqs(find(store, f"word{seq}")) == [seq] and seqs(find(store, "word1", limit=1)) != []


def everything(store: IndexStore) -> list[Sequence[Message]]:
    """What is found by some queries in two rooms."""
    return [
        find(store, *words, rooms=(room,), limit=1000, nicks=nicks).messages
        for room in ("ops", "dev")
        for words, nicks in (((), ()), (("word",), ()), (("你",), ()), ((), ("ana",)), (("more",), ("bob", "eve")))
    ]


@pytest.mark.usefixtures("small_parts")
@settings(max_examples=25)
@given(
    said=st.lists(st.tuples(st.sampled_from(("ops", "dev")), st.sampled_from(("ana", "Bob", "eve")),
                            st.sampled_from(("word", "a word more", "你好", "")), st.sampled_from(("say", "action"))),
                  max_size=70),
    ends=st.lists(st.integers(0, 70), max_size=5),
    removed=st.sets(st.integers(0, 69), max_size=4),
)  # fmt: skip
def test_a_batch_is_what_its_messages_are_one_by_one(
    said: list[tuple[str, str, str, str]], ends: list[int], removed: set[int]
) -> None:
    heads: dict[str, int] = {}
    batch: list[Message] = []
    for room, nick, text, kind in said:
        heads[room] = heads.get(room, 0) + 1
        batch.append(Message(room, 1000 * len(batch), nick, "tcp", kind, text, seq=heads[room]))
    singly, together = IndexStore(make_tables(connect(":memory:"))), IndexStore(make_tables(connect(":memory:")))
    for each in batch:
        assert singly.add([each], None) == {}
    bounds = [0, *sorted(min(end, len(batch)) for end in ends), len(batch)]
    for start, end in pairwise(bounds):
        assert together.add(batch[start:end], None) == {}
    assert everything(together) == everything(singly)
    places = [(batch[each].room, batch[each].seq) for each in removed if each < len(batch)]
    for store in (singly, together):
        store.remove(places, 1)
    assert everything(together) == everything(singly)
    assert not any((each.room, each.seq) in places for found in everything(together) for each in found)


@pytest.mark.usefixtures("small_parts")
def test_a_full_part_that_is_the_last_again_is_followed_by_a_new_one() -> None:
    store = filled(*(f"word{number}" for number in range(1, 16)))
    store.add([message(1, "elsewhere", room="dev")], None)
    store.forget({"ops": 11, "dev": 2})
    store.sweep(2)  # of the second part nothing is left but messages 11 to 15
    store.forget({"ops": 16})
    store.sweep(2)
    assert store.add([message(seq, "later") for seq in range(16, 40)], None) == {}
    assert seqs(find(store, "later", limit=100)) == [*range(39, 15, -1)]


@pytest.mark.usefixtures("small_parts")
def test_an_author_whose_messages_are_gone_is_in_no_file_and_may_speak_again(
    on_disk: IndexStore, tmp_path: Path
) -> None:
    on_disk.add([message(1, "first", "zebra77"), message(2, "second"), message(3, "third", "zebra77")], None)
    assert in_files(tmp_path, "zebra77")
    on_disk.remove([("ops", 1), ("ops", 3)], 2)
    assert not in_files(tmp_path, "zebra77")
    on_disk.add([message(4, "fourth", "zebra77")], None)
    assert [(each.seq, each.nick) for each in find(on_disk, limit=9, nicks=("zebra77", "ana")).messages] == [
        (4, "zebra77"), (2, "ana"),
    ]  # fmt: skip
