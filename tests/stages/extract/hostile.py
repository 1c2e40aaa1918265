"""Backends that misbehave on demand, for the sandbox: what a page says decides what happens to it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable


def load() -> Callable[[str], str]:
    seen: list[str] = []
    kept: list[bytes] = []

    def run(html: str) -> str:
        if "HANG" in html:
            time.sleep(3600)
        if "SPIN" in html:
            while True:
                pass
        if "EXIT" in html:
            os._exit(3)
        if "SEGV" in html:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "RAISE" in html:
            raise ValueError(html)
        if "DEEP" in html:
            return run(html)
        if "GROW" in html:
            return str(len(bytearray(8 << 30)))
        if "HOARD" in html:
            while True:
                kept.append(bytes(1 << 20))
        if "KEEP" in html:
            kept.append(b"k" * (30 << 20))
        if "PRINT" in html:
            print("noise on standard output", flush=True)
        if "SURROGATE" in html:
            return "a\ud83d\ude00b\ud800c"
        if "ONCE" in html and len(seen) > 0:
            os._exit(4)  # dies only in a child that has worked before
        seen.append(html)
        return html.upper()

    return run


def load_nothing() -> Callable[[str], str]:
    raise ImportError("no such library")
