"""How the processes of a run are started and watched."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lauter.trainer.config.fields import Number, Section


class LaunchSection(Section):
    """Nothing here changes what is computed."""

    hang_seconds: Annotated[Number, Field(gt=0)] | None = 1800.0
    """Ranks that make no progress for so long end, and say which of them the others waited for; null never. A step, a
    save or a validation must take less."""
