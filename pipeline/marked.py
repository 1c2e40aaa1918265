"""What a manifest with dialogues may not have: a tokenizer without the chat's tokens, or what tears turns apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lauter.pipeline.conformance import is_cutter
from lauter.pipeline.manifest import ShardingSection, Source, StageSpec, load_target
from lauter.pipeline.marking import MarkingEncoder, is_marked
from lauter.pipeline.yaml_lines import Location

Fault = tuple[Location, str]


def is_marked_source(source: Source) -> bool:
    """Whether the records of a source are dialogues (`marking.MarkedReader`)."""
    return is_marked(load_target(source.target, ""))


def marking_faults(
    sources: Sequence[Source], specs: Sequence[StageSpec], encoder: StageSpec, sharding: ShardingSection
) -> Iterator[Fault]:
    """What is wrong where some sources hold dialogues, each with its place in the manifest."""
    marked = [source for source in sources if is_marked_source(source)]
    if not marked:
        return
    named = ", ".join(source.name for source in marked)
    for index, spec in enumerate(specs):
        cls = spec.load()
        if is_cutter(cls):
            yield (
                ("stages", index),
                f"{spec.name!r} would cut turns apart, and {named} has dialogues: build these as a corpus of their own",
            )
        passed = [source.name for source in marked if not spec.sources or source.name in spec.sources]
        writes = getattr(cls, "documents", ())
        if passed and any(field.name == "text" for field in writes) and not getattr(cls, "moves_marks", False):
            yield (
                ("stages", index),
                f"{spec.name!r} rewrites text and can't keep the turns of the dialogues of {', '.join(passed)}; give "
                "it `sources:` without them",
            )
    if sharding.repeats is not None:
        yield (
            ("sharding", "repeats"),
            f"repeats can't be cut out of dialogues ({named}): build these as a corpus of their own",
        )
    yield from _token_faults(marked, encoder, named)


def _token_faults(marked: Sequence[Source], encoder: StageSpec, named: str) -> Iterator[Fault]:
    cls = encoder.load()
    wanted = frozenset[str]().union(*(load_target(source.target, "").marked for source in marked))
    known = cls.controls(cls.Config.model_validate(dict(encoder.config))) if isinstance(cls, MarkingEncoder) else ()
    lacking = sorted(wanted.difference(known))
    if lacking:
        yield (
            ("tokenizer",),
            f"the tokenizer has no control token {', '.join(lacking)}, which the dialogues of {named} need: take "
            "`tokenizer: apertus`, or one of `lauter tokenizer train`",
        )
