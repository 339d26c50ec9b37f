"""What is run: protocol, suites, trials and their identity. Imports no torch."""
