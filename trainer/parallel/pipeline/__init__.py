"""Pipeline parallel: the model cut into stages, each on one rank, and micro-batches that pass through them."""
