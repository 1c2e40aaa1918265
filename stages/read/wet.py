"""The WET reader: conversion records, whose content is text already."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lauter.pipeline.contract import Reason, StageConfig
from lauter.stages.read.records import Frame
from lauter.stages.read.rows import MAX_TEXT_BYTES, Row, utf8
from lauter.stages.read.warc import REASONS, WarcConfig, WarcReader


class WetConfig(WarcConfig):
    """Parameters of the reader of WET files."""

    max_text_bytes: int = Field(default=MAX_TEXT_BYTES, ge=1, le=1 << 31)
    """Bytes of a text, as UTF-8, above which a record becomes a row `text-too-large`."""


class WetReader(WarcReader):
    """Reads the text of conversion records; other records of a WET file are rows without text (`no-text`).

    `payload` is null. Text that is not UTF-8 has U+FFFD for each bad sequence, as the extractor does it.
    """

    name: ClassVar[str] = "wet"
    version: ClassVar[int] = 2
    provides_text: ClassVar[bool] = True
    Config: ClassVar[type[StageConfig]] = WetConfig
    reasons: ClassVar[tuple[Reason, ...]] = (*REASONS, Reason("text-too-large", "error"))

    def __init__(self, config: WetConfig, source_name: str) -> None:
        super().__init__(config, source_name)
        self._max_text_bytes = config.max_text_bytes

    def _content(self, row: Row, frame: Frame, content_type: str) -> Row:
        text = utf8(bytes(frame.block))
        if frame.kind != b"conversion" or not text.strip():
            return row._replace(reason="no-text")
        if len(text) > self._config.max_payload_bytes:
            return row._replace(reason="payload-too-large")
        if len(text) > self._max_text_bytes:
            return row._replace(reason="text-too-large")
        return row._replace(media_type="text/plain", charset="utf-8", text=text)
