"""`python -m quickstart.build_web OUT_DIR`: packs the pages under `web/` as a crawler would have left them.

Writes `web-00000.warc.gz` (a gzip member a record), `web-00001.warc` (plain), `robots.warc.gz` (the snapshot of every
host's robots.txt), and `rows.jsonl` and `rows.parquet` (text in FineWeb's columns). The bytes are the same every time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from quickstart import oddities, responses, warc
from quickstart.pages import Record, Row, Site, sites, sources

ROBOTS = "robots.warc.gz"
ROBOTS_DATE = "2024-11-04T06:00:00Z"

COLUMNS = pa.schema(
    [
        ("text", pa.string()),
        ("id", pa.string()),
        ("dump", pa.string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("file_path", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float64()),
        ("token_count", pa.int64()),
    ]
)
"""FineWeb's columns, as its data card lists them."""


def build(out: Path) -> list[Path]:
    """Write all files into the folder `out`; a file that has its bytes already is not touched."""
    out.mkdir(parents=True, exist_ok=True)
    hosts = sites()
    listed = sources()
    files = {name: warc_file(name, records, hosts) for name, records in listed.warc.items()}
    files[ROBOTS] = robots_file(hosts)
    for name, rows in listed.rows.items():
        files[name] = parquet_file(rows, name) if name.endswith(".parquet") else jsonl_file(rows, name)
    for name, data in files.items():
        path = out / name
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
    return [out / name for name in files]


def warc_file(name: str, records: Sequence[Record], hosts: dict[str, Site]) -> bytes:
    """A WARC file: its `warcinfo`, and for the first record also the request, as crawlers keep it."""
    compressed = name.endswith(".gz")
    pieces = [warc.info(records[0].date, name)]
    first = next(record for record in records if record.page)
    request = f"GET / HTTP/1.1\r\nHost: {first.host}\r\nUser-Agent: quickstart\r\n\r\n".encode()
    pieces.append(warc.record("request", first.url or "", first.date, "application/http; msgtype=request", request))
    packed = [warc.member(piece) if compressed else piece for piece in pieces]
    for record in records:
        if record.content == "garbage":
            packed.append(oddities.garbage())
            continue
        url = record.url or ""
        data = warc.response(url, record.date, responses.message(record, hosts[record.host]), f"{url} {record.date}")
        if record.damage == "long":
            head, mark, rest = data.partition(b"Content-Length: ")
            data = head + mark + b"9" + rest
        data = warc.member(data) if compressed else data
        packed.append(data[: len(data) // 2] if record.damage == "cut" else data)
    return b"".join(packed)


def robots_file(hosts: dict[str, Site]) -> bytes:
    """The snapshot: the robots.txt of each host that was asked, and its other files, in the order of the list."""
    packed = [warc.member(warc.info(ROBOTS_DATE, ROBOTS))]
    for host, site in hosts.items():
        if site.robots is not None:
            url = f"https://{host}/robots.txt"
            packed.append(warc.member(warc.response(url, ROBOTS_DATE, responses.robots_message(site.robots, host))))
        for file in site.files:
            url = f"https://{host}{file.path}"
            packed.append(warc.member(warc.response(url, ROBOTS_DATE, responses.file_message(file, host))))
    return b"".join(packed)


def jsonl_file(rows: Sequence[Row], name: str) -> bytes:
    """One JSON object a line."""
    return "".join(json.dumps(_columns(row, name), ensure_ascii=False) + "\n" for row in rows).encode()


def parquet_file(rows: Sequence[Row], name: str) -> bytes:
    """A Parquet file of one row group."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([_columns(row, name) for row in rows], COLUMNS), sink, compression="zstd")
    return bytes(sink.getvalue())


def _columns(row: Row, name: str) -> dict[str, str | float]:
    text = responses.plain_text(row.page) if row.page else (row.text or "").strip()
    values = (text, row.id, "QUICKSTART-2024-44", row.url, row.date, name, row.language, 0.99, len(text.split()))
    return dict(zip(COLUMNS.names, values, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Build into the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m quickstart.build_web", description="Pack the committed web.")
    parser.add_argument("out", type=Path, help="the folder for the WARC, JSONL and Parquet files")
    paths = build(parser.parse_args(arguments).out)
    size = sum(path.stat().st_size for path in paths)
    sys.stdout.write(f"web: {len(paths)} files, {size / 1000:,.0f} kB in {paths[0].parent}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
