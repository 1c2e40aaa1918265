"""Named shapes: Apertus's own two, and three for a CPU."""

from __future__ import annotations

from collections.abc import Mapping

from lauter.trainer.model.shape import ModelShape

PRESETS: Mapping[str, ModelShape] = {
    # arXiv 2509.14233, table 1: 8,053,338,176 and 70,599,864,480 parameters.
    "apertus-8b": ModelShape(32, 4096, 21504, 32, 8, 128, 131_072, 4096),
    "apertus-70b": ModelShape(80, 8192, 43008, 64, 8, 128, 131_072, 4096),
    # The same proportions (MLP 5.25 x hidden), narrow. `init_std` goes with 1 / sqrt(hidden): Apertus's 0.008944 at
    # width 192 leaves logits near 0 for hundreds of steps.
    "nano": ModelShape(4, 192, 1008, 6, 2, 32, 4096, 1024, init_std=0.03),
    "tiny": ModelShape(8, 320, 1680, 10, 2, 32, 8192, 2048, init_std=0.025),
    "small": ModelShape(12, 768, 4032, 12, 3, 64, 131_072, 4096, init_std=0.015),
}
