"""The forms of nicks and rooms, and when two nicks belong to the same user."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import confusables, name_rules
from gateway.errors import Code, Refusal

NFKC_STABLE = st.characters(categories=["Lu", "Ll", "Lt", "Lm", "Lo", "Nd"]).filter(
    lambda character: unicodedata.normalize("NFKC", character) == character
)


def refusal_of(text: str) -> Code:
    with pytest.raises(Refusal) as caught:
        name_rules.nick(text)
    return caught.value.code


def same_user(one: str, other: str) -> bool:
    return not set(name_rules.keys(one)).isdisjoint(name_rules.keys(other))


@pytest.mark.parametrize("text", ["a", "ana", "7", "Ana.B_c-9", "a" * 32, "\u0416\u0435\u043d\u044f", "\u592a\u90ce"])
def test_nick_is_shown_as_asked(text: str) -> None:
    assert name_rules.nick(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("नेहा", "प्रिया", "ज़ोया", "লক্ষ্মী", "ਸੁਖਵਿੰਦਰ", "ભૂમિકા", "கண்ணன்", "శ్రీను", "ಶ್ರೇಯಾ", "ലക്ഷ്മി", "ආනන්ද"),
        *("สมชาย", "น้ำผึ้ง", "ที่รัก", "ສົມພອນ", "ကြွေး", "သူဇာ", "ស្រីមុំ", "བསྒྲུབ", "އަޙްމަދު"),
    ],
)
def test_scripts_that_write_vowels_as_marks_have_nicks(text: str) -> None:
    assert name_rules.nick(text) == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a\u0301\u0302\u0303\u0304",
            "x\u0947",
            "\u0947\u0928",
            "\u0928\u0947\u0947",
            "\u0928.\u0947",
            "\u0967\u0947",
        ),
        *("\u0e19\u0e48\u0e49", "\u0e19\u0e31\u0e34\u0e35", "\u0928\u0301", "\u1780\u17b4", "\u0e19\u0947"),
        *("\u0639\u064e", "\u05d0\u05b0", "z\ufe0f", "\u0928\u20dd", "\u0915\u0901\u0947\u0902\u0903"),
    ],
)
def test_marks_that_no_spelling_needs_are_invalid(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        name_rules.nick(text)
    assert refused.value.code is Code.NICK_INVALID


def test_the_order_of_marks_makes_no_other_nick() -> None:
    assert name_rules.keys("\u0e17\u0e35\u0e48") == name_rules.keys("\u0e17\u0e48\u0e35")


@pytest.mark.parametrize("text", ["\u05d9\u05d5\u05e1\u05d9", "\u30ce\u30d6", "\u4e36", "\u0639\u0644\u064a"])
def test_letters_that_happen_to_look_like_punctuation_may_begin_a_nick(text: str) -> None:
    assert name_rules.nick(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a b", " ana", "ana ", "*", "[admin]", "-->", "--", "bob:", "#x", ".a", "_a", "-a", "a\n", "a" * 33),
        *("\x1b[31mbob", "bob\x1b[2J", "\u009b31m", "a\u2028b", "a\u0085", "a\x00", "a\x7f", "\ud800", "a\ud800"),
        *("\u202enimda", "a\u2066", "a\ufeff", "a\u200b", "a\u200d", "a\U000e0041", "a\ufe0f", "a\U000e0100"),
        *("\u0301a", "a\u0334", "\u1160", "a\u3164", "\U0001f600", "\ufdfa", "\u00bd", "\u2160a b"),
        *("\U00010400" * 33, "\u01c3\u01c3", "\u2d51", "\u2cba\u2cba", "x" * 100_000),
    ],
)
def test_a_malformed_nick_is_invalid(text: str) -> None:
    assert refusal_of(text) is Code.NICK_INVALID


def test_nick_of_128_bytes_is_the_longest() -> None:
    assert name_rules.nick("\U00010400" * 32) == "\U00010400" * 32


@pytest.mark.parametrize(
    "text",
    [
        *("server", "system", "admin", "operator", "Admin", "SERVER", "0perator", "OPERAT0R", "ADMlN", "ADM1N"),
        *("\u0430dmin", "adm\u0131n", "\uff41dmin", "adrnin", "\u0410DMIN", "\u0455erver"),
        *("SYSTE\u041c", "\u039fperator"),
    ],
)
def test_reserved_nick_and_what_looks_like_one_is_taken(text: str) -> None:
    assert refusal_of(text) is Code.NICK_TAKEN


@pytest.mark.parametrize("text", ["guest-4f2a", "Guest-x", "GUEST-", "gue\u0455t-1", "\uff47uest-1"])
def test_guest_name_is_the_servers_to_give(text: str) -> None:
    assert refusal_of(text) is Code.NICK_TAKEN


@pytest.mark.parametrize("text", ["guest", "guest_1", "guests-1", "myguest-1"])
def test_nick_that_only_begins_like_a_guests_is_free(text: str) -> None:
    assert name_rules.nick(text) == text


def test_guest_names_have_four_hex_digits() -> None:
    assert [name_rules.guest(number) for number in (0, 0x4F2A, 0xFFFF)] == ["guest-0000", "guest-4f2a", "guest-ffff"]
    assert name_rules.is_guest(name_rules.guest(7))


def test_no_two_guest_names_are_alike() -> None:
    assert len({key for number in range(0x10000) for key in name_rules.keys(name_rules.guest(number))}) == 0x10000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[("\u00e9va", "e\u0301va"), ("Ana", "aNA"), ("stra\u00dfe", "STRASSE"), ("ana", "\uff41na")],
        *[("rnary", "mary"), ("alice", "aIice"), ("b0b", "bob"), ("BOB", "B0B"), ("1ou", "lou"), ("Ian", "lan")],
        *[("\u0422om", "Tom"), ("\u0422om", "tom"), ("\u041cary", "mary"), ("\u041dannah", "HANNAH")],
        *[("\u039dick", "nick"), ("\u03bdal", "val"), ("\u041d\u0410\u0422\u0410", "HATA")],
        *[("\u041d\u0438\u043d\u0430", "\u043d\u0438\u043d\u0430"), ("\u03a3\u03bf\u03c6", "\u03c3\u03bf\u03c6")],
    ],
)
def test_nicks_that_pass_for_each_other_are_one_users(one: str, other: str) -> None:
    assert same_user(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[("ian", "lan"), ("van", "nan"), ("ana", "anna"), ("a.b", "a_b"), ("a-b", "ab"), ("bot2", "bot3")],
        *[("eva", "\u00e9va"), ("\u0430\u043d\u043d\u0430", "anna")],
    ],
)
def test_nicks_a_reader_tells_apart_are_two_users(one: str, other: str) -> None:
    assert not same_user(one, other)


@given(st.text(NFKC_STABLE, min_size=1, max_size=8))
def test_case_never_makes_another_user(text: str) -> None:
    assert same_user(text, text.casefold())


@given(st.text(max_size=40))
def test_any_text_is_a_nick_or_refused(text: str) -> None:
    try:
        shown = name_rules.nick(text)
    except Refusal as refusal:
        assert refusal.code in (Code.NICK_INVALID, Code.NICK_TAKEN)
    else:
        assert name_rules.nick(shown) == shown
        assert shown.isprintable() and not set(shown) & set(" :|*[]")


@pytest.mark.parametrize(
    ("text", "room"),
    [("lobby", "lobby"), ("#Ops", "ops"), ("0", "0"), ("a.b_c-d", "a.b_c-d"), ("#" + "x" * 64, "x" * 64)],
)
def test_room_loses_its_case_and_one_hash(text: str, room: str) -> None:
    assert name_rules.room(text) == room


@pytest.mark.parametrize(
    "text",
    ["", "#", "##a", ".a", "-a", "_a", "a b", "a\n", "a/b", "\u00e9", "x" * 65, "#" + "x" * 65, "\u0130", "\ud800"],
)
def test_a_malformed_room_name_is_invalid(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        name_rules.room(text)
    assert caught.value.code is Code.ROOM_INVALID


def test_roster_gives_a_nick_to_the_first_who_claims_it() -> None:
    roster = name_rules.Roster[int]()
    assert roster.claim("Tom", 1)
    assert not roster.claim("\u0422om", 2)
    assert roster.holder("tOM") == 1


def test_roster_keeps_nothing_of_a_refused_claim() -> None:
    roster = name_rules.Roster[int]()
    roster.claim("alice", 1)
    assert not roster.claim("aIice", 2)
    assert roster.claim("aiice", 3)


def test_roster_forgets_both_keys_of_a_released_nick() -> None:
    roster = name_rules.Roster[int]()
    roster.claim("\u0422om", 1)
    roster.release("\u0422om")
    assert roster.claim("tom", 2) and roster.holder("\u0442om") is None


def test_roster_lets_the_holder_change_the_case_of_a_nick() -> None:
    roster = name_rules.Roster[int]()
    roster.claim("ana", 1)
    assert roster.claim("Ana", 1)
    roster.release("ana", keep="Ana")
    assert roster.holder("ana") == 1


def test_roster_prefers_the_spelling_to_the_look() -> None:
    roster = name_rules.Roster[int]()
    roster.claim("lan", 1)
    roster.claim("ian", 2)
    assert roster.holder("Ian") == 2


@given(st.text(st.characters(max_codepoint=127)))
def test_the_tables_of_ascii_look_as_the_rules_for_any_text_say(text: str) -> None:
    assert confusables.skeleton(text) == confusables._any_skeleton(text)
    assert confusables.folded_skeleton(text) == confusables._any_folded_skeleton(text)


@pytest.mark.parametrize(
    "name", ["guest-4f2a", "Admin", "ADMIN", "aIice", "tom", "x.-_1O0l", *map(chr, range(33, 127))]
)
def test_the_short_way_to_the_keys_of_an_ascii_nick_leads_to_the_same_keys(name: str) -> None:
    marked = name_rules.keys(name + "\u0644")  # a letter that looks like nothing else takes the long way
    assert [key.removesuffix(marked[0][-1]) for key in marked] == [*name_rules.keys(name)]
