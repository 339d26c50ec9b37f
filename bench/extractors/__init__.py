"""The frozen networks in whose features images are measured. `specs` and `training_configs` import no torch."""
