"""Tensor parallelism: every product of a layer shared by several ranks (Megatron-LM, arXiv 1909.08053)."""
