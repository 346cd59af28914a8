"""An answer that may come later: the core's one way of waiting, without a loop.

A verb that may need the journal or a thread returns an `Answer`. It is set exactly once, perhaps before the verb
returns, with the result or with what stands in its place: a Refusal, or a JournalError from the journal itself. A
caller says what is to happen with it (`then`); the web awaits it (`web.http.request.answered`).

One thing is not asked like this: the commit of messages. `Journal.append` and the drafts that it is given take a
callback, because they are on the path of every message.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")
Other = TypeVar("Other")


class Answer(Generic[Value]):
    """One answer, whose value may be there already."""

    __slots__ = ("_value", "_waiting")

    _value: Value

    def __init__(self) -> None:
        self._waiting: list[Callable[[Value], object]] | None = []
        """None once the value is there."""

    @classmethod
    def of(cls, value: Value) -> "Answer[Value]":
        """An answer that is there already."""
        answer = cls.__new__(cls)
        answer._value, answer._waiting = value, None
        return answer

    def set(self, value: Value) -> None:
        """The value is there: tell those who wait, in the order in which they asked. Called once."""
        waiting, self._waiting = self._waiting, None
        assert waiting is not None, "an answer is set once"
        self._value = value
        for callback in waiting:
            callback(value)

    def then(self, callback: Callable[[Value], object]) -> None:
        """Call `callback` with the value: now if it is there, else as soon as it is."""
        if self._waiting is None:
            callback(self._value)
        else:
            self._waiting.append(callback)

    def map(self, change: Callable[[Value], Other]) -> "Answer[Other]":
        """The same answer with its value changed."""
        if self._waiting is None:
            return Answer.of(change(self._value))
        changed: Answer[Other] = Answer()
        self.then(lambda value: changed.set(change(value)))
        return changed

    def chain(self, ask: Callable[[Value], "Answer[Other]"]) -> "Answer[Other]":
        """The answer to what `ask` asks next, once this one is there."""
        if self._waiting is None:
            return ask(self._value)
        last: Answer[Other] = Answer()
        self.then(lambda value: ask(value).then(last.set))
        return last
