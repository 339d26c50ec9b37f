"""The metrics of a frozen generator's samples. `catalogue` and `version` import no torch; the rest does."""
