"""The kinds of measurement of `gateway bench` that are more than one load, each with its own report."""
