"""The loss: linear and cross-entropy in one pass, and Goldfish."""
