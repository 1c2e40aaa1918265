"""Learning from preferences: completions of prompts, their rewards, and the losses QRPO and DPO."""
