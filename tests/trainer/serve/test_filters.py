"""Lists of takedowns before what a model says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lauter.pipeline.filter.grams import Grams, gram_hash
from lauter.pipeline.filter.published import FilterList, salt_for
from lauter.pipeline.filter.units import UnitStream
from lauter.trainer.generate.tokenizer import TextTokenizer
from lauter.trainer.serve.answer import Answer
from lauter.trainer.serve.filters import filter_maker
from tests.trainer.serve.small_talker import TOKENIZER

REMOVED = "the ferry leaves the lower harbour at seven and comes back when the tide has turned"


def _write_list(path: Path) -> None:
    units, grams, salt = UnitStream(), Grams(), salt_for("test")
    units.feed(REMOVED, grams.units, final=True)
    hashes = sorted({int.from_bytes(gram_hash(gram, salt), "big") for gram, _, _ in grams.take()})
    path.write_text(json.dumps(FilterList(salt, np.array(hashes, np.uint64)).to_json()))


def _said(tokenizer: TextTokenizer, text: str, path: Path) -> list[str]:
    answer = Answer(tokenizer, (), filter_maker([str(path)]))
    ends = [tokenizer.chat["<|assistant_end|>"]]
    return [answer.push(token).response for token in [*tokenizer.plain(text), *ends]]


def test_a_removed_text_is_not_said_while_it_streams(tmp_path: Path) -> None:
    path = tmp_path / "output-filter.json"
    _write_list(path)
    said = _said(TOKENIZER, f"It says: {REMOVED}. So be there early, and bring a coat for the way back over", path)
    assert "".join(said) == "It says: [removed]. So be there early, and bring a coat for the way back over"
    # It comes in pieces: what is beyond eight words waits no longer.
    assert sum(map(bool, said)) > 5
    assert not any("ferry" in piece for piece in said)


def test_lists_that_are_none(tmp_path: Path) -> None:
    assert filter_maker([]) is None
    for content, message in ((None, "No such file"), ("{}", "is no output filter")):
        path = tmp_path / "list.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ValueError, match=rf"--filter .*list.json: .*{message}"):
            filter_maker([str(path)])
