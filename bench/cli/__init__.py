"""The command line: one file a verb. A verb's own imports happen inside it, so that help and `list` start at once."""
