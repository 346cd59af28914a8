"""Who somebody is: passwords and tokens, and how often they may be guessed."""
