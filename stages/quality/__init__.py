"""Rules of thumb for the quality of a text: Gopher's quality and repetition rules and FineWeb's."""

from lauter.stages.quality.stage import Quality
from lauter.stages.quality.thresholds import PUBLISHED, QualityConfig, Thresholds

__all__ = ["PUBLISHED", "Quality", "QualityConfig", "Thresholds"]
