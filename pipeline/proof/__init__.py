"""The ledger as a Merkle tree: one hash for all rows, and short proofs that a URL is in it, or is not."""
