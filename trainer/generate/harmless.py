"""What a model says may hold any character: none of those that a terminal obeys gets through."""

from __future__ import annotations

HARMLESS = {code: "\ufffd" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\t\n"}
"""For `str.translate`: the control characters of ISO/IEC 6429 (C0, DEL, C1) but tab and line end, to U+FFFD."""
