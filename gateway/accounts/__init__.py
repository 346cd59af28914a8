"""Operators' accounts: passwords and tokens, and the throttle on guessing them."""
