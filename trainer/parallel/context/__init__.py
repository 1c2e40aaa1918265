"""Context parallel: ranks share the tokens of a micro-batch, and attention sees those of the others."""
