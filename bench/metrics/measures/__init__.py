"""The metrics, one file a family: each function here, with its decorator, is one number of an evaluation."""
