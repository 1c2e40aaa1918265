"""Source code: repositories whose owners opted out, and files that hold data or were made by a machine."""

from lauter.stages.code.repositories import Repositories, RepositoriesConfig
from lauter.stages.code.stage import Code
from lauter.stages.code.thresholds import CodeConfig

__all__ = ["Code", "CodeConfig", "Repositories", "RepositoriesConfig"]
