"""The conversation and its format: what stages write of a dialogue, what the trainer speaks. No torch, no corpus."""
