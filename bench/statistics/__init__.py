"""What may be concluded from records: scores, intervals and ranks. Torch-free, seeded, pure functions of records."""
