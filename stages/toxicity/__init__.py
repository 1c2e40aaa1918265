"""The toxicity stage (`stage`), its word lists (`lexicon`, `match`), and checkpoints of Detoxify (`detoxify`)."""

from lauter.stages.toxicity.stage import Toxicity, ToxicityConfig

__all__ = ["Toxicity", "ToxicityConfig"]
