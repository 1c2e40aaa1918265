"""The audit's own reading of opt-outs: another store, another parser, exact agent names."""
