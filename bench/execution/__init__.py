"""Running attempts: what is asked of an executor, and the executors. None of them writes to the store."""
