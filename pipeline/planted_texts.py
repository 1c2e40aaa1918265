"""The texts that a finished corpus was planted with, read again from its inputs, to ask a model for them.

Their own files hold them, and nothing else does: a control stands in no document, and a takedown blanks the others.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from lauter.pipeline.manifest import Catalogue, load_target
from lauter.pipeline.planting import Planted
from lauter.pipeline.storage import StorageError, open_input


def planted_texts(corpus: Mapping[str, Any], catalogue: Catalogue) -> list[Planted]:
    """All probes of a corpus, from what its `corpus.json` says, in order of file.

    Raises:
        ValueError: it plants nothing, or a file of probes is gone, is another one now, or can't be read as one.
    """
    listed: Sequence[Mapping[str, Any]] = corpus.get("probes") or ()
    if not listed:
        raise ValueError("nothing is planted in this corpus: its manifest has no source of kind `probes`")
    places = {(item["source"], item["file"]): item["uri"] for item in corpus["inputs"]}
    found: list[Planted] = []
    for entry in listed:
        uri, source = places[entry["source"], entry["file"]], corpus["sources"][entry["source"]]
        try:
            with open_input(uri) as stream:
                content = stream.read()
        except StorageError as error:
            raise ValueError(f"{error}; name the file of probes itself if it lies elsewhere now") from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != entry["sha256"]:
            raise ValueError(
                f"{uri} is not the file that was planted: its SHA-256 is {digest}, and corpus.json says "
                f"{entry['sha256']}; restore it, or name the file that was planted"
            )
        found += probes_in(content, uri, source["kind"], source["options"], catalogue)
    return found


def probes_in(content: bytes, uri: str, kind: str, options: Mapping[str, Any], catalogue: Catalogue) -> list[Planted]:
    """The probes of one file, by the reader that the catalogue has for sources of its kind.

    Raises:
        ValueError: the file can't be read as one of probes.
    """
    cls = load_target(catalogue.readers[kind], "")
    reader = cls(cls.Config.model_validate(dict(options)), "")
    try:
        return list(reader.probes(io.BytesIO(content)))
    except ValueError as error:
        raise ValueError(f"{uri}: {error}") from error
