"""AdEMAMix and AdamW over fp32 masters, gradient clipping."""
