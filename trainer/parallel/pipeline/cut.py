"""Which layers stand on which stage of a pipeline."""

from __future__ import annotations

from lauter.trainer.model.shape import ModelShape


def spans(shape: ModelShape, stages: int) -> list[range]:
    """The layers of each stage, in their order: every stage has one at least.

    A stage weighs what its parameters do, which are its products and its optimizer state, too; the first stage has the
    input embedding besides, the last one the output layer. Of all cuts the one whose heaviest stage is lightest, then
    the most even one. Where layers are left over, later stages take them: earlier ones hold the activations of more
    micro-batches (arXiv 2104.04473, section 2.2).

    >>> shape = ModelShape(10, 64, 256, 4, 2, 16, 700, 64)
    >>> spans(shape, 4)
    [range(0, 2), range(2, 5), range(5, 8), range(8, 10)]

    Raises:
        ValueError: there are more stages than layers.
    """
    if stages > shape.layers:
        raise ValueError(
            f"parallel: {stages} stages (parallel.pipeline x parallel.stages_per_rank) need as many layers, and the "
            f"model has {shape.layers}; lower one of the two"
        )
    if stages == 1:
        return [range(shape.layers)]
    found: list[int] = []
    least: tuple[int, int] | None = None
    for first in range(1, shape.layers):
        for last in range(1, shape.layers - first + 1):
            between = _even(shape.layers - first - last, stages - 2)
            if between is None:
                continue
            counts = [first, *between, last]
            weights = [count * shape.layer_parameters for count in counts]
            for end in (0, -1):
                weights[end] += shape.vocabulary * shape.hidden
            weight = max(weights), sum(one * one for one in weights)
            if least is None or weight < least:
                least, found = weight, counts
    starts = [sum(found[:stage]) for stage in range(stages)]
    return [range(start, start + count) for start, count in zip(starts, found, strict=True)]


def _even(layers: int, stages: int) -> list[int] | None:
    """So many layers on so many stages, each at least one; None where that can't be."""
    if layers < stages or (stages == 0 and layers > 0):
        return None
    return [(layers + stage) // stages for stage in range(stages)]
