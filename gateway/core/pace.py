"""How fast a session may speak: a token bucket kept as one number (the generic cell rate algorithm).

`paid_until` is the moment up to which a session has used its rate. Each message moves it on by 1/rate; as long as it
is not more than burst/rate ahead of now, the message is within the rate.
"""

from gateway.core.limits import Limits

ROUNDING = 1e-6
"""Seconds: less than that is an error of floating point, not a wait."""


def wait(paid_until: float, now: float, rate: float, burst: float) -> float:
    """Seconds until one more message is within `rate` a second after `burst` at once; 0 = now. Rate 0 = no limit."""
    if rate <= 0:
        return 0.0
    seconds = paid_until - now - (max(burst, 1) - 1) / rate
    return seconds if seconds > ROUNDING else 0.0


def pay(paid_until: float, now: float, rate: float) -> float:
    """The new `paid_until` after one message."""
    return 0.0 if rate <= 0 else max(paid_until, now) + 1 / rate


def repriced(paid_until: float, now: float, rate_before: float, limits: Limits) -> float:
    """The new `paid_until` after a change of limits: the same number of messages is used, at most a whole burst."""
    if rate_before <= 0 or limits.messages_per_second <= 0:
        return 0.0
    used = min((paid_until - now) * rate_before, max(limits.burst, 1))
    return now + used / limits.messages_per_second if used > 0 else 0.0
