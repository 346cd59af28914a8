"""The chat itself, without input or output: no socket, loop, thread, file or clock. Time is an argument."""
