"""The command line: one file per verb. A verb's own imports happen inside it, so that help and `list` start at once."""
