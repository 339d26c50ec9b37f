"""Records made readable: the leaderboard in four formats, figures, and one HTML page. Torch-free; prints nothing."""
