"""The line editor of terminals that send every key: keys and events in, bytes for the screen out."""
