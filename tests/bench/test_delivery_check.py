from array import array

from gateway.bench.delivery_check import Fault, Judge, reference
from gateway.bench.plan import key_of

A, B, C, D = key_of(0, 0), key_of(1, 0), key_of(0, 1), key_of(1, 1)
PUBLISHED = {0: 2, 1: 2}


def hearing(*keys: int) -> bytes:
    return array("Q", keys).tobytes()


def judge(*keys: int) -> Fault:
    return Judge(PUBLISHED, array("Q", (A, B, C, D))).judge(hearing(*keys))


def test_everything_once_in_order_is_no_fault() -> None:
    assert not judge(A, B, C, D)


def test_missing_messages_are_counted_and_named() -> None:
    assert judge(A, D) == Fault(missing=2, first_missing=("0/1", "1/0"))


def test_repeated_messages_are_counted() -> None:
    assert judge(A, B, B, C, A, D) == Fault(repeated=2)


def test_an_order_that_others_did_not_see_is_a_fault() -> None:
    assert judge(B, A, C, D) == Fault(reordered=1)


def test_a_writers_own_order_counts_even_if_all_saw_it_wrong() -> None:
    wrong = array("Q", (C, B, A, D))
    assert Judge(PUBLISHED, wrong).judge(wrong.tobytes()) == Fault(reordered=1)


def test_a_fault_says_what_is_wrong() -> None:
    assert str(judge(A, C, C)) == "2 missing, 1 repeated (first missing: 1/0, 1/1)"


def test_the_order_of_most_readers_is_the_reference() -> None:
    assert list(reference([hearing(B, A), hearing(A, B), hearing(A, B)])) == [A, B]
    assert list(reference([])) == []


def test_messages_of_nobody_here_are_foreign() -> None:
    assert judge(A, B, key_of(7, 0), C, D) == Fault(foreign=1)


def test_an_author_misses_nothing_of_its_own_and_is_not_to_be_shown_it() -> None:
    one = Judge(PUBLISHED, array("Q", (A, B, C, D)))
    assert not one.judge(hearing(B, D), author=0)
    assert one.judge(hearing(A, B, D), author=0) == Fault(foreign=1)
    assert one.judge(hearing(D), author=0) == Fault(missing=1, first_missing=("1/0",))
