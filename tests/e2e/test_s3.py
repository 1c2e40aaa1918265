"""The same build on S3 gives the same bytes, also when an upload breaks in the middle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from lauter.pipeline.audit import audit
from lauter.pipeline.storage import Storage, StorageError
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from tests.e2e.s3_server import FaultyProxy, s3_server
from tests.pipeline.small_run import COMPARED, build, digests, write_manifest
from tests.pipeline.small_stages import CATALOGUE

pytestmark = pytest.mark.slow


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    with s3_server() as running:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{running.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        system = fs.S3FileSystem(
            endpoint_override=f"127.0.0.1:{running.port}", scheme="http", allow_bucket_creation=True
        )
        system.create_dir("bucket")
        yield running


def _s3_digests(root: str) -> dict[str, str]:
    storage = Storage(root)
    return {
        path: hashlib.sha256(storage.read(path)).hexdigest() for folder in COMPARED for path in storage.list(folder)
    }


FILES = {"a.txt": "\n".join(f"a{i}\tsome text number {i % 9}" for i in range(30)), "b.txt": "x\tmore text\nbroken"}


def test_a_build_on_s3_is_the_local_build(tmp_path: Path, proxy: FaultyProxy) -> None:
    manifest = write_manifest(tmp_path, FILES)
    build(manifest, tmp_path / "local")
    proxy.target, proxy.faults = b"/run/documents/source-a", 2
    outcome = build(manifest, "s3://bucket/run")
    assert outcome.report.failures == []
    assert proxy.faults == 0 and len(proxy.broken) == 2, "the fault was injected"
    assert _s3_digests("s3://bucket/run") == digests(tmp_path / "local")
    assert audit(Storage("s3://bucket/run"), CATALOGUE).violations == []
    assert build(manifest, "s3://bucket/run").report.executed == 0


def test_a_lasting_fault_fails_the_task_and_a_rerun_mends_it(tmp_path: Path, proxy: FaultyProxy) -> None:
    manifest = write_manifest(tmp_path, FILES)
    build(manifest, tmp_path / "local")
    proxy.target, proxy.faults = b"/lasting/documents/source-b", 10_000
    outcome = build(manifest, "s3://bucket/lasting")
    assert [failure.name for failure in outcome.report.failures] == ["documents/source-b/b.txt"]
    assert "cannot publish" in outcome.report.failures[0].error
    with pytest.raises(StorageError):
        audit(Storage("s3://bucket/lasting"), CATALOGUE)
    proxy.faults = 0
    assert build(manifest, "s3://bucket/lasting").report.failures == []
    assert _s3_digests("s3://bucket/lasting") == digests(tmp_path / "local")


def test_sources_on_s3(tmp_path: Path, proxy: FaultyProxy) -> None:
    local = tmp_path / "local"
    local.mkdir()
    manifest = write_manifest(local, FILES)
    build(manifest, local / "out")
    storage = Storage("s3://bucket/input")
    for name, content in FILES.items():
        storage.write(f"deep/{name}", content.encode())
    text = manifest.read_text().replace("- a*.txt", "- s3://bucket/input/*/a*.txt")
    text = text.replace("- b*.txt", "- s3://bucket/input/deep/b.txt")
    remote = tmp_path / "remote.yaml"
    remote.write_text(text)
    build(remote, tmp_path / "out")
    assert digests(tmp_path / "out") == digests(local / "out")


def test_a_takedown_on_s3_is_the_local_one(tmp_path: Path, proxy: FaultyProxy) -> None:
    manifest = write_manifest(tmp_path, FILES)
    build(manifest, tmp_path / "local")
    build(manifest, "s3://bucket/run")
    proxy.target, proxy.faults = b"/run/tokens/main", 1
    for root in (str(tmp_path / "local"), "s3://bucket/run"):
        take_down(Storage(root), [demand("url", "https://a3.example/"), demand("host", "x.example")], with_copies=True)
    assert _s3_digests("s3://bucket/run") == digests(tmp_path / "local")
    assert audit(Storage("s3://bucket/run"), CATALOGUE).violations == []
    assert build(manifest, "s3://bucket/run").report.executed == 0
