"""Reading corpus.json, the file that makes a run folder a corpus, for every command that needs one."""

from __future__ import annotations

import json
from typing import Any

from lauter.pipeline.audit.index import CorpusIndex, IndexBroken, read_index
from lauter.pipeline.proof.chain import CORPUS
from lauter.pipeline.storage import Storage, StorageError


class NoCorpus(StorageError):
    """The folder holds no corpus, or a corpus.json that is none; the message says how to mend it."""


def read_corpus(storage: Storage) -> tuple[dict[str, Any], CorpusIndex]:
    """corpus.json as it was written, and as the audit takes it.

    Raises `NoCorpus` where there is none or its form is broken, `StorageError` where it cannot be read.
    """
    if storage.size(CORPUS) is None:
        raise NoCorpus(f"{storage.root} holds no finished corpus; run `lauter build` to its end")
    data = storage.read(CORPUS)
    try:
        index = read_index(data)
    except IndexBroken as error:
        raise NoCorpus(f"{storage.root} cannot be read, `lauter audit` says more: {error}") from error
    corpus: dict[str, Any] = json.loads(data)
    return corpus, index
