"""No connection to an address that is not permitted: by number, by name, by a second answer, by a redirect."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from lauter.stages.optout.fetch.address import is_public
from lauter.stages.optout.fetch.exchange import Client
from lauter.stages.optout.fetch.follow import Hosts, fetch_file
from lauter.stages.optout.fetch.guard import look_up
from tests.stages.optout.fetch.asking import HOW, ask
from tests.stages.optout.fetch.server import Request, Server, http

OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"
"""Stand-ins on loopback for an address that may be connected to and for one that must not."""


def outside(address: str) -> bool:
    return address == OUTSIDE


class Names:
    """A resolver that gives its answers one after the other, then the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def closing(_: Request) -> bytes:
    return http(200, b"", "Connection: close")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "0",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "[::1]",
        "[::ffff:7f00:1]",
    ],
)
def test_no_spelling_of_this_machine_is_connected_to(host: str) -> None:
    async def run() -> None:
        async with Server(closing, ("127.0.0.1",)) as server:
            result = await ask(server.url(host), replace(HOW, permitted=is_public, lookup=look_up))
            assert result.answer is None
            assert result.failure is not None
            # The client itself refuses addresses that are not spelt as RFC 3986 has them.
            odd = host in ("0", "127.1", "0177.0.0.1", "2130706433")
            assert result.failure.code == ("bad-url" if odd else "refused-address")
            assert server.connections == 0

    asyncio.run(run())


@pytest.mark.parametrize("found", [["10.0.0.1"], ["169.254.169.254", "fd00:ec2::254"], ["::1"], ["::ffff:127.0.0.1"]])
def test_a_name_with_private_addresses_is_refused(found: list[str]) -> None:
    result = asyncio.run(
        ask("http://metadata.test/robots.txt", replace(HOW, permitted=is_public, lookup=Names(found), retries=3))
    )
    assert result.failure is not None
    assert (result.failure.code, result.tries) == ("refused-address", 1)
    assert found[0] in result.failure.detail


def test_a_name_that_changes_its_answer_never_leads_inside() -> None:
    async def run() -> None:
        names = Names([OUTSIDE], [INSIDE])
        how = replace(HOW, permitted=outside, lookup=names)
        async with Server(closing, (INSIDE,)) as secret:
            open_site = Server(closing, (OUTSIDE,))
            open_site.port = secret.port
            async with open_site, Client(how) as client:
                url = secret.url("rebind.test")
                first = await fetch_file(url, client, Hosts(), how)
                # One look-up a connection: what was checked is what was connected to.
                assert (names.asked, open_site.connections) == (1, 1)
                second = await fetch_file(url, client, Hosts(), how)
            assert first.answer is not None
            assert second.failure is not None
            assert second.failure.code == "refused-address"
            assert (names.asked, open_site.connections, secret.connections) == (2, 1, 0)

    asyncio.run(run())


def test_of_several_addresses_only_the_permitted_one_is_tried() -> None:
    async def run() -> None:
        async with Server(closing, (INSIDE,)) as secret:
            open_site = Server(closing, (OUTSIDE,))
            open_site.port = secret.port
            async with open_site:
                names = Names([INSIDE, OUTSIDE, INSIDE])
                result = await ask(secret.url("both.test"), replace(HOW, permitted=outside, lookup=names))
            assert result.answer is not None
            assert (open_site.connections, secret.connections) == (1, 0)

    asyncio.run(run())


@pytest.mark.parametrize("by_name", [True, False])
def test_a_redirect_inside_is_refused(*, by_name: bool) -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return [INSIDE if host == "inside.test" else OUTSIDE]

    async def run() -> None:
        async with Server(closing, (INSIDE,)) as secret:
            target = secret.url("inside.test" if by_name else INSIDE)
            open_site = Server(lambda _: http(302, b"", f"Location: {target}"), (OUTSIDE,))
            open_site.port = secret.port
            async with open_site:
                result = await ask(secret.url("open.test"), replace(HOW, permitted=outside, lookup=lookup))
            assert result.failure is not None
            assert result.failure.code == "refused-address"
            assert result.chain[0].location == target
            assert (open_site.connections, secret.connections) == (1, 0)

    asyncio.run(run())


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with Server(closing) as proxy, Server(closing) as server:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
            result = await ask(server.url("a.test"))
            assert result.answer is not None
            assert (proxy.connections, server.connections) == (0, 1)

    asyncio.run(run())


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a..test", "xn--\x80.test"])
def test_a_name_that_dns_cannot_have_is_a_row(name: str) -> None:
    result = asyncio.run(ask(f"http://{name}/robots.txt", replace(HOW, lookup=look_up)))
    assert result.failure is not None
    assert result.failure.code in ("dns", "bad-url")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ssl.SSLContext, ssl.SSLContext]]:
    """A server's context with a certificate for a.test, and a client's context that trusts it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.test"), x509.IPAddress(ip_address("::1"))]), False)
        .sign(key, SHA256())
    )
    both = folder / "both.pem"
    both.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    yield server, ssl.create_default_context(cafile=str(both))


def test_a_certificate_must_be_trusted_and_the_hosts_own(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    serving, trusting = tls

    async def run() -> None:
        async with Server(closing, tls=serving) as server:
            good = await ask(server.url("a.test", scheme="https"), replace(HOW, tls=trusting))
            assert good.answer is not None
            bad = [
                await ask(server.url("a.test", scheme="https")),
                await ask(server.url("b.test", scheme="https"), replace(HOW, tls=trusting)),
            ]
            assert [result.failure.code for result in bad if result.failure] == ["tls"] * 2

    asyncio.run(run())
