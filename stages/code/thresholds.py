"""The thresholds of the code stage, with their sources.

*StarCoder 2*: the filters of The Stack v2 (arXiv 2402.19173, section 3.1); those for lines and letters are of The Stack
and StarCoder before (arXiv 2305.06161, section 3.2).
"""

from __future__ import annotations

from pydantic import Field

from lauter.pipeline.contract import StageConfig

LONG_LINES = (
    *("htm", "html", "xhtml", "json", "jsonl", "ipynb", "md", "markdown", "rst", "roff", "man", "1", "2", "3", "4"),
    *("5", "6", "7", "8", "smt", "smt2", "tex", "sty", "bib", "txt", "text", "xml", "xsd", "xsl", "xslt", "svg", ""),
)
"""Extensions of what has long lines by nature: HTML, JSON, Markdown, Roff, manual pages, SMT, TeX, text, XML (StarCoder
2); also files without an extension, of which the kind is not known."""

DATA = ("csv", "dot", "gv", "geojson", "json", "jsonl", "owl", "tsv", "txt", "text", "yaml", "yml")
"""Extensions of data and text files: JSON, YAML, text, OWL, Graphviz (StarCoder 2); also tables of values."""

SYMBOLIC = ("s", "asm", "x68", "wat", "wast")
"""Extensions of assembly, of which letters and digits are counted: Motorola 68K and WebAssembly (StarCoder 2)."""


class CodeConfig(StageConfig):
    """A file is dropped if a score lies beyond its threshold; a threshold that is `None` switches its rule off."""

    max_lines: int | None = 100_000
    """Most lines. StarCoder 2: 100,000."""
    max_line_length: int | None = 1_000
    """Longest line, in code points. StarCoder 2: 1,000, where `long_lines` does not have the extension."""
    max_mean_line_length: float | None = 100.0
    """Longest mean line, in code points. StarCoder 2: 100, in the same files."""
    max_any_line_length: int | None = 100_000
    """Longest line of any file. StarCoder 2: 100,000."""
    min_letter_ratio: float | None = 0.25
    """Smallest share of letters among all characters. StarCoder 2: 0.25; in `symbolic` files of letters and digits."""
    max_encoded_ratio: float | None = 0.5
    """Largest share of characters in stretches of Base64, hexadecimal bytes or escapes. StarCoder 2: 0.5."""
    max_encoded_length: int | None = 1_024
    """Longest such stretch. StarCoder 2: 1,024."""
    max_data_lines: int | None = 512
    """Most lines of a file with an extension of `data`. StarCoder 2: 512."""
    generated: bool = False
    """Whether files that say in their first five lines that a program wrote them are kept."""
    long_lines: tuple[str, ...] = Field(default=LONG_LINES, strict=False)
    """Extensions, in lower case and without the dot, whose lines may be long."""
    data: tuple[str, ...] = Field(default=DATA, strict=False)
    """Extensions of data files."""
    symbolic: tuple[str, ...] = Field(default=SYMBOLIC, strict=False)
    """Extensions of files of which digits count as letters do."""
