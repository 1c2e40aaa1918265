"""The WET reader: conversion records, whose content is text already."""

from __future__ import annotations

from typing import ClassVar

from lauter.stages.read.records import Frame
from lauter.stages.read.rows import Row, utf8
from lauter.stages.read.warc import WarcReader


class WetReader(WarcReader):
    """Reads the text of conversion records; other records of a WET file are rows without text (`no-text`).

    `payload` is null. Text that is not UTF-8 has U+FFFD for each bad sequence, as the extractor does it.
    """

    name: ClassVar[str] = "wet"
    provides_text: ClassVar[bool] = True

    def _content(self, row: Row, frame: Frame, content_type: str) -> Row:
        text = utf8(bytes(frame.block))
        if frame.kind != b"conversion" or not text.strip():
            return row._replace(reason="no-text")
        if len(text) > self._config.max_payload_bytes:
            return row._replace(reason="payload-too-large")
        return row._replace(media_type="text/plain", charset="utf-8", text=text)
