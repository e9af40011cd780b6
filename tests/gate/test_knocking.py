"""One POST to a server that behaves in every way a server can: within bounds, and never where it may not go."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from services.gate import knocking
from services.gate.addresses import Refused, parse
from services.gate.knocking import Answer, Late, Line, Unreachable
from tests.gate.receiver import OK, Certificates, Got, Receiver, receiving

PLAIN = ssl.create_default_context()
HEADERS = {"webhook-id": "m", "Content-Type": "application/json"}


async def line(receiver: Receiver, path: str = "/hook") -> Line:
    return await Line.open(parse(f"http://127.0.0.1:{receiver.port}{path}", loopback=True), PLAIN, loopback=True)


async def post(receiver: Receiver, body: bytes = b"{}") -> Answer:
    told = await line(receiver)
    try:
        return await told.post(HEADERS, body, math.inf)
    finally:
        told.close()


def answering(text: bytes) -> Callable[[Got], bytes]:
    return lambda _: text


def finding(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def find(host: str, port: int) -> list[str]:
        del host, port
        return list(addresses)

    return find


async def test_what_is_posted_arrives_whole_and_one_connection_serves_many() -> None:
    async with receiving(Receiver()) as receiver:
        told = await line(receiver, "/hook?a=b")
        for number in range(3):
            assert await told.post(HEADERS, b'{"n":%d}' % number, math.inf) == Answer(204)
            assert told.good
        told.close()
    assert [one.body for one in receiver.got] == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
    assert receiver.connections == 1
    first = receiver.got[0]
    assert (first.path, first.headers["host"]) == ("/hook?a=b", f"127.0.0.1:{receiver.port}")
    assert "cookie" not in first.headers


async def test_what_is_decided_too_long_ago_is_not_sent() -> None:
    async with receiving(Receiver()) as receiver:
        told = await line(receiver)
        with pytest.raises(Late):
            await told.post(HEADERS, b"{}", asyncio.get_running_loop().time() - 0.001)
        assert not told.good
    assert receiver.got == []


@pytest.mark.parametrize("status", [200, 202, 301, 307, 400, 410, 429, 500, 503])
async def test_the_status_is_told_as_it_is_and_no_redirect_is_followed(status: int) -> None:
    async with receiving(Receiver()) as receiver:
        receiver.answer = answering(
            b"HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:%d/other\r\nContent-Length: 0\r\n\r\n"
            % (status, receiver.port)
        )
        assert await post(receiver) == Answer(status)
    assert [one.path for one in receiver.got] == ["/hook"]


async def test_how_long_a_receiver_asks_to_wait_is_told_where_it_is_a_number() -> None:
    async with receiving(Receiver()) as receiver:
        for text, asked in ((b"120", 120), (b"999999999", 86400), (b"tomorrow", None), (b"-1", None), (b"1e3", None)):
            receiver.answer = answering(b"HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n" % text)
            assert (await post(receiver)).asked == (None if asked is None else timedelta(seconds=asked))


async def test_a_huge_answer_counts_by_its_status_and_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knocking, "REST_S", 60)
    async with receiving(Receiver()) as receiver:
        receiver.answer = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 200_000)
        told = await line(receiver)
        async with asyncio.timeout(5):
            assert await told.post(HEADERS, b"{}", math.inf) == Answer(200)
        assert not told.good


async def test_an_answer_that_trickles_counts_by_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knocking, "REST_S", 0.05)
    async with receiving(Receiver()) as receiver:
        receiver.answer = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
        told = await line(receiver)
        assert await told.post(HEADERS, b"{}", math.inf) == Answer(200)
        assert not told.good


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x00" * 50,
        b"HTTP/1.1 2 OK\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_failure(text: bytes) -> None:
    async with receiving(Receiver()) as receiver:
        receiver.answer = answering(text)
        with pytest.raises(Unreachable, match="no_http"):
            await post(receiver)


async def test_a_receiver_that_drops_refuses_or_says_nothing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knocking, "ANSWER_S", 0.1)
    async with receiving(Receiver()) as receiver:
        receiver.answer = lambda _: None
        with pytest.raises(Unreachable, match="connection"):
            await post(receiver)
        receiver.answer, receiver.hold = answering(OK), asyncio.Event()
        with pytest.raises(Unreachable, match="timeout"):
            await post(receiver)
        receiver.hold.set()
        receiver.answer = answering(b"HTTP/1.1 100 Continue\r\n\r\n")
        with pytest.raises(Unreachable, match="timeout"):
            await post(receiver)
    with pytest.raises(Unreachable, match="connection"):
        await post(receiver)


async def test_one_that_takes_no_more_bytes_does_not_hold_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knocking, "ANSWER_S", 0.1)
    deaf: list[asyncio.StreamWriter] = []

    def take_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's can
        deaf.append(writer)

    async with await asyncio.start_server(take_nothing, "127.0.0.1", 0) as server:
        target = parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", loopback=True)
        told = await Line.open(target, PLAIN, loopback=True)
        with pytest.raises(Unreachable, match="timeout"):
            await told.post(HEADERS, b"x" * 30_000_000, math.inf)
        deaf[0].transport.abort()
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


async def test_the_certificate_is_the_names_though_the_address_is_the_one_judged(certificates: Certificates) -> None:
    async with receiving(Receiver(), certificates.server("tool.example")) as receiver:
        target = parse(f"https://tool.example:{receiver.port}/hook")
        told = await Line.open(target, certificates.client, loopback=True, find=finding("127.0.0.1"))
        assert await told.post(HEADERS, b"{}", math.inf) == Answer(204)
        assert told.address == "127.0.0.1"
        told.close()
        assert receiver.got[0].headers["host"] == f"tool.example:{receiver.port}"
        for name, context in (("other.example", certificates.client), ("tool.example", PLAIN)):
            with pytest.raises(Unreachable, match="tls"):
                await Line.open(
                    parse(f"https://{name}:{receiver.port}/"), context, loopback=True, find=finding("127.0.0.1")
                )
    assert len(receiver.got) == 1


async def test_nothing_is_connected_to_an_inner_address_even_when_the_name_changes_its_mind() -> None:
    asked: list[str] = []

    async def find(host: str, port: int) -> list[str]:
        del port
        asked.append(host)
        return ["8.8.8.8"] if len(asked) > 1 else ["127.0.0.1"]

    async with receiving(Receiver()) as receiver:
        with pytest.raises(Refused, match="address_closed"):
            await Line.open(parse(f"https://tool.example:{receiver.port}/"), PLAIN, find=find)
        with pytest.raises(Refused, match="address_closed"):
            await Line.open(parse("https://tool.example/"), PLAIN, find=finding("8.8.8.8", "10.0.0.1"))
        with pytest.raises(Refused, match="name_unknown"):
            await Line.open(parse("https://tool.example/"), PLAIN, find=finding())
    assert (asked, receiver.connections) == (["tool.example"], 0)


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "017700000001"])
async def test_a_name_or_number_that_means_this_machine_is_refused_after_it_is_resolved(host: str) -> None:
    async with receiving(Receiver()) as receiver:
        with pytest.raises(Refused):
            await Line.open(parse(f"https://{host}:{receiver.port}/"), PLAIN)
    assert receiver.connections == 0


async def test_no_proxy_of_the_environment_comes_between(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(Receiver()) as receiver, receiving(Receiver()) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await post(receiver) == Answer(204)
    assert (len(receiver.got), proxy.connections) == (1, 0)


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with receiving(Receiver()) as receiver:
        target = parse(f"http://tool.example:{receiver.port}/", loopback=True)
        told = await Line.open(target, PLAIN, loopback=True, find=finding("127.0.0.2", "127.0.0.1"))
        assert told.address == "127.0.0.1"
        told.close()
