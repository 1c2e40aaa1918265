"""C4's scores: what stands in the lines that C4 keeps. Lines are counted; no text is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from lauter.pipeline import schema
from lauter.stages.kernels import c4 as counted
from lauter.stages.kernels.c4 import measure_c4
from lauter.stages.kernels.words import TextBuffers
from lauter.stages.quality.scores import quantised
from lauter.stages.quality.thresholds import C4Lines, QualityConfig

C4_SCORES = schema.fields(schema.SCORE, "c4_sentences", "c4_line_ratio", "lorem_ipsum_lines", "curly_bracket_lines")


def c4_columns(lines: C4Lines | None, texts: TextBuffers) -> dict[str, pa.Array[Any]]:
    """The columns of `C4_SCORES` of some texts; nulls where C4's lines are not asked for."""
    if lines is None:
        return {field.name: pa.nulls(len(texts.offsets) - 1, field.type) for field in C4_SCORES}
    longest = -1 if lines.max_word_length is None else lines.max_word_length
    rules = np.array([lines.terminal, lines.min_words, longest, lines.javascript, lines.policy], np.int64)
    counts = measure_c4(texts.offsets, texts.data, rules).T
    arrays = {
        "c4_sentences": counts[counted.SENTENCES],
        "c4_line_ratio": quantised(counts[counted.KEPT_CHARACTERS], counts[counted.CHARACTERS], schema.RATIO_SCALE),
        "lorem_ipsum_lines": counts[counted.LOREM_IPSUM],
        "curly_bracket_lines": counts[counted.CURLY_BRACKETS],
    }
    return {field.name: pa.array(arrays[field.name]).cast(field.type) for field in C4_SCORES}


def check_c4(config: QualityConfig) -> None:
    """Raise ValueError where a rule of C4's is on and its scores are not counted."""
    names = ("min_c4_sentences", "min_c4_line_ratio", "max_lorem_ipsum_lines", "max_curly_bracket_lines")
    wanted = [name for name in names if getattr(config, name) is not None]
    if wanted and config.c4 is None:
        raise ValueError(f"`{wanted[0]}` needs C4's lines counted: add `c4: {{}}`")
