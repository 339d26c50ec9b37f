"""What is measured on a frozen generator's samples. `pins` and `catalogue` need no torch; the rest does."""
