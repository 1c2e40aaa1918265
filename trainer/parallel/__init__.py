"""Device mesh, plan per module, recomputation, compilation."""
