"""A sample of each language's documents that depends on their doc_ids and on nothing else."""

from __future__ import annotations

SAMPLE_BYTES = 256 << 10
"""Text of one language: some 40,000 words, in which a word with a share of 0.8 % stands 320 times. 2,000 languages take
512 MB at most, and twice that while they are gathered."""
DOCUMENT_BYTES = 8 << 10
"""Text of one document, from its beginning, so that a long one does not stand for a language."""


class Sample:
    """The texts of one language with the smallest doc_ids, which are hashes, up to SAMPLE_BYTES."""

    def __init__(self) -> None:
        self._kept: list[tuple[bytes, bytes]] = []
        self._size = 0

    def add(self, doc_id: bytes, text: bytes) -> None:
        """Offer a document."""
        text = text[:DOCUMENT_BYTES]
        self._kept.append((doc_id, text))
        self._size += len(text)
        if self._size > 2 * SAMPLE_BYTES:
            self._trim()

    def texts(self) -> list[str]:
        """The texts, in order of their doc_ids."""
        self._trim()
        return [text.decode(errors="ignore") for _, text in self._kept]

    def _trim(self) -> None:
        # What is cut here would be cut at the end too: more documents only push others out.
        self._kept.sort()
        self._size = 0
        for count, (_, text) in enumerate(self._kept, 1):
            self._size += len(text)
            if self._size >= SAMPLE_BYTES:
                del self._kept[count:]
                break
