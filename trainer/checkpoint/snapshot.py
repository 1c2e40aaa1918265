"""A copy of all tensors in the host's memory, so that training may go on while it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions


class Snapshot:
    """Buffers that are made once and filled again at each save: as much memory as this rank's part of the state."""

    def __init__(self) -> None:
        on_gpu = torch.cuda.is_available()
        self._stager = DefaultStager(
            StagingOptions(
                use_pinned_memory=on_gpu,
                use_shared_memory=False,
                use_async_staging=False,
                use_non_blocking_copy=on_gpu,
            )
        )

    def take(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Copies (DTensors stay DTensors) that hold until the next call; the originals may change on return."""
        return cast(dict[str, Tensor], self._stager.stage(dict(tensors)))
