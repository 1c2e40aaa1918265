"""The compiled index: what every origin said, memory-mapped by the workers and asked a batch at a time."""
