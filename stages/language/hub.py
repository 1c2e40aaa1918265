"""Language models that do not come with Lauter: fetched once from the Hugging Face hub, or a file with a digest.

GlotLID (A. H. Kargaran et al., GlotLID: Language Identification for Low-Resource Languages, arXiv:2310.16248) has
1.6 GB, too much for a package. It is fetched by `huggingface_hub` into the cache that all its users share (`HF_HOME`),
so a machine has one copy, and it is never fetched where `HF_HUB_OFFLINE` is set. A copy that is there is taken without
asking the hub: every worker of a run opens the model, and all must have the same one.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import NamedTuple

_BLOCK = 1 << 20


class HubFile(NamedTuple):
    """A file of a repository on the hub."""

    repository: str
    """Owner and name."""
    name: str
    size: str
    """For messages."""


GLOTLID = HubFile("cis-lmu/glotlid", "model_v3.bin", "1.6 GB")
"""Version 3, by its own name: `model.bin` is whatever version is newest."""


def fetch(file: HubFile, sha256: str | None = None, *, cache: Path | None = None, endpoint: str | None = None) -> Path:
    """The path of a file of the hub, fetched where it is not on this machine yet; else the hub is not asked.

    Args:
        file: Which.
        sha256: What its content must have, in hexadecimal; none: it is not checked.
        cache: Folder of the copies; none: that of `huggingface_hub`.
        endpoint: Address of the hub; none: that of `huggingface_hub`.

    Raises:
        ValueError: The hub cannot be reached or is not to be, or the file is not as `sha256` says. The message says how
            to have the file all the same.
    """
    # Half a second to import, and only this model needs it.
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, XetDownloadError

    # The library's client of HTTP is another in each of its major versions, and so is what a broken connection raises:
    # always the class that the library's own error is derived from.
    broken: type[Exception] = HfHubHTTPError.__bases__[0]
    download = partial(huggingface_hub.hf_hub_download, file.repository, file.name, cache_dir=cache, endpoint=endpoint)
    try:
        try:
            found = download(local_files_only=True)
        except LocalEntryNotFoundError:
            found = download()
    except LocalEntryNotFoundError:
        offline = huggingface_hub.constants.HF_HUB_OFFLINE
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        raise ValueError(
            f"{file.repository} {file.name} ({file.size}) is not on this machine, and {why}: fetch it elsewhere with"
            f" `hf download {file.repository} {file.name}`, copy it here, and name its path as the model"
        ) from None
    except (broken, XetDownloadError, OSError) as problem:
        raise ValueError(f"{file.repository} {file.name} cannot be fetched from the hub: {problem}") from problem
    if sha256 is not None:
        check(Path(found), sha256)
    return Path(found)


def stored(file: HubFile) -> Path | None:
    """The path of a file of the hub if a copy is on this machine; the hub is not asked."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(huggingface_hub.hf_hub_download(file.repository, file.name, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def check(path: Path, sha256: str) -> None:
    """Refuse a file whose content is not what is expected.

    Args:
        path: The file.
        sha256: Its digest in hexadecimal (FIPS 180-4).

    Raises:
        ValueError: The digest is another.
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != sha256.lower():
        raise ValueError(
            f"{path} has SHA-256 {digest.hexdigest()} and not {sha256.lower()}: it is cut, or another version; fetch it"
            " again, or set the digest of the version that is wanted"
        )
