"""The commands that work on the store as a whole: backup, export, import, new-epoch."""
