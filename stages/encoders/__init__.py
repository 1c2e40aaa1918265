"""What stages that run an encoder share: texts cut to chunks, and batches in which a chunk's result is its own."""
