"""Personal data out of text: found by pattern and checksum, replaced by a placeholder, never kept."""

from lauter.stages.pii.config import PiiConfig
from lauter.stages.pii.stage import Pii

__all__ = ["Pii", "PiiConfig"]
