"""The engine: plans, runs and proves a corpus build; knows nothing of text and no stage by name."""
