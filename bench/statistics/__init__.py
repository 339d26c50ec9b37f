"""What follows from records: scores, intervals and ranks. Torch-free, seeded, pure functions of records."""
