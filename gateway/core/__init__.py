"""The chat itself, sans-I/O: no socket, event loop, thread, file or clock. Time is an argument."""
