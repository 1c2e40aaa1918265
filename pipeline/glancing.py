"""The contract of a reader that can count a sound file without reading all of it, and the second count by it.

The second count of a file (`contract.Reader.count`) inflates and walks every byte again. Where a file holds nothing
but sound records, their headers and sizes tell their number too; anything else is left to the count.
"""

from __future__ import annotations

from typing import BinaryIO, ClassVar, Protocol, runtime_checkable

from lauter.pipeline.contract import FileCount, Reader, Verdict


@runtime_checkable
class GlancingReader(Protocol):
    """A reader (`contract.Reader`) whose files mostly hold nothing but records."""

    no_records: ClassVar[frozenset[str]]
    """The reasons of its rows that are no records, of which `count` makes corrupt ranges."""

    def glance(self, stream: BinaryIO) -> FileCount | None:
        """The number of records of a file in which everything seems sound, by other code than `read`; else None.

        It is believed where `read` finds as many rows and none of `no_records`. It must not find a number for a file
        of which `count` finds another, unless bytes are broken that it did not look at.
        """
        ...


class Seen:
    """What a reader gave of a file, as far as the second count wants to know it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._glancing = reader if isinstance(reader, GlancingReader) else None
        self.rows = 0
        self._no_records = 0

    def add(self, verdict: Verdict) -> None:
        """Take what the reader says of a batch."""
        self.rows += len(verdict.reason)
        if self._glancing is not None:
            names = (self._reader.reasons[code - 1].name for code in verdict.reason if code)
            self._no_records += sum(name in self._glancing.no_records for name in names)

    def counted(self, stream: BinaryIO) -> FileCount:
        """The second count of the file: by a glance where that is to be believed."""
        if self._glancing is not None and not self._no_records:
            found = self._glancing.glance(stream)
            if found is not None and found.rows == self.rows:
                return found
        return self._reader.count(stream)
