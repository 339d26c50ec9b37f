"""What each loss and penalty costs on the device: timed beside the reference method, profiled, and kept as records."""
