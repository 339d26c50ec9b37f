"""The gates of a comparison of two sets of results: quality, failures, throughput and timings. Torch-free, seeded."""
