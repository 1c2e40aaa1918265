"""Licences of what is used: only what was declared, and only what is on a list of SPDX identifiers."""

from lauter.stages.licence.stage import Licence, LicenceConfig

__all__ = ["Licence", "LicenceConfig"]
