"""The contract of a reader that can count a sound file without reading all of it.

The second count of a file (`contract.Reader.count`) inflates and walks every byte again. Where a file holds nothing
but sound records, their headers and sizes tell their number too; anything else is left to the count.
"""

from __future__ import annotations

from typing import BinaryIO, ClassVar, Protocol, runtime_checkable

from lauter.pipeline.contract import FileCount


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
