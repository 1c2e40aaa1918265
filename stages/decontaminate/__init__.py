"""The decontamination stage (`stage`), its benchmark files (`benchmarks`), index (`index`) and matching (`match`)."""

from lauter.stages.decontaminate.stage import Decontaminate, DecontaminateConfig

__all__ = ["Decontaminate", "DecontaminateConfig"]
