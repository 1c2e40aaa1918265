"""A stage that drops what is on a list and asks for the copies of it; rewriters behind it count what they see."""

from __future__ import annotations

from typing import ClassVar, Literal

from lauter.pipeline.contract import Reason, StageConfig, StageContext
from lauter.pipeline.manifest import Catalogue
from tests.pipeline import counting_stage
from tests.pipeline.origin_stage import Origins
from tests.pipeline.small_stages import LookupConfig


class ReservedConfig(LookupConfig):
    """The list, and what becomes of copies."""

    mirrors: Literal["keep", "drop"] = "keep"


class Reserved(Origins):
    """`Origins` to whom copies matter."""

    name: ClassVar[str] = "reserved"
    Config: ClassVar[type[StageConfig]] = ReservedConfig
    reasons: ClassVar[tuple[Reason, ...]] = (Reason("blocked", mirrored=True),)
    decision_fields: ClassVar[frozenset[str]] = frozenset({"mirrors"})

    def __init__(self, config: ReservedConfig, context: StageContext) -> None:
        super().__init__(config, context)

    @classmethod
    def mirrors(cls, config: ReservedConfig) -> Literal["keep", "drop"]:
        """As the parameter says."""
        return config.mirrors


class Claimed(Reserved):
    """A second one, with a list of its own."""

    name: ClassVar[str] = "claimed"


CATALOGUE = Catalogue(
    readers=counting_stage.CATALOGUE.readers,
    stages={
        **counting_stage.CATALOGUE.stages,
        "reserved": "tests.pipeline.mirror_stage:Reserved",
        "claimed": "tests.pipeline.mirror_stage:Claimed",
    },
    barriers=counting_stage.CATALOGUE.barriers,
    encoder=counting_stage.CATALOGUE.encoder,
)
