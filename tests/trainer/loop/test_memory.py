from __future__ import annotations

import torch

from lauter.trainer.loop.memory import peak_memory


def test_the_peak_is_in_bytes_and_does_not_fall() -> None:
    before = peak_memory(torch.device("cpu"))
    # torch alone takes more than 50 MB; no test machine has 1 TB.
    assert 50e6 < before < 1e12
    held = torch.ones(before // 4)
    after = peak_memory(torch.device("cpu"))
    assert after >= before
    del held
    # Linux adds the counters of threads up late: its own mark may be a few pages lower later.
    assert peak_memory(torch.device("cpu")) >= after - (1 << 21)
