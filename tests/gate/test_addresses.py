"""A webhook goes to public addresses only, whatever a name says and however an address is written."""

from __future__ import annotations

import pytest

from services.gate.addresses import Refused, is_open, judge, judge_named, parse

CLOSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254
169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1
192.168.1.1 198.18.0.1 198.51.100.7 203.0.113.9 168.63.129.16
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1
100::1 2001::1 2001:0:7f00:1:: 2001:db8::1 2001:20::1 2002:7f00:1:: 2002:808:808:: 3fff::1 3ffe::1 5f00::1
fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 2606:4700::1%1 fec0::1 ff02::1 2620:4f:8000::1
localhost 127.1 0x7f000001 2130706433 0177.0.0.1 1.2.3 example.org 8.8.8.8%1
"""
OPEN = """
8.8.8.8 1.1.1.1 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 9.9.9.9 2606:4700::1111 2a00:1450::1
"""


@pytest.mark.parametrize("address", CLOSED.split())
def test_an_inner_or_odd_address_is_closed(address: str) -> None:
    assert not is_open(address)
    with pytest.raises(Refused, match="address_closed"):
        judge(["8.8.8.8", address])


@pytest.mark.parametrize("address", OPEN.split())
def test_a_public_address_is_open(address: str) -> None:
    assert judge([address]) == [address]


def test_loopback_is_open_only_where_it_is_allowed_and_nothing_else_with_it() -> None:
    assert judge(["127.0.0.1", "::1"], loopback=True) == ["127.0.0.1", "::1"]
    for address in ("10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "::"):
        with pytest.raises(Refused):
            judge([address], loopback=True)
    with pytest.raises(Refused, match="name_unknown"):
        judge([])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "//example.org/",
        "https://",
        "https:///x",
        "https://user@example.org/",
        "https://user:word@example.org/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org/#part",
        "https://exa mple.org/",
        "https://example.org/\r\nX: y",
        "https://example.org\\@10.0.0.1/",
        "https://exämple.org/",
        "https://[::1%25eth0]/",
        "https://-example.org/",
        "https://example.org/" + "x" * 500,
        "https://example.org,10.0.0.1/",
    ],
)
def test_a_url_that_is_not_plainly_https_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        parse(url)


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[fd00::1]", "127.0.0.1", "[::1]"])
def test_a_url_that_names_a_closed_address_itself_is_refused_before_anything_goes_there(host: str) -> None:
    with pytest.raises(Refused, match="address_closed"):
        judge_named(parse(f"https://{host}/hook"))
    if host in {"127.0.0.1", "[::1]"}:
        judge_named(parse(f"http://{host}:8080/hook", loopback=True), loopback=True)


def test_a_url_with_a_name_or_an_open_address_is_not_judged_before_it_is_used() -> None:
    for host in ("intern.example.org", "93.184.216.34", "[2606:4700::1]"):
        judge_named(parse(f"https://{host}/hook"))


def test_a_url_is_taken_apart_and_put_together_with_the_address_that_was_judged() -> None:
    target = parse("https://Tool.Example.org:8443/hook?a=b")
    assert (target.host, target.port, target.path) == ("tool.example.org", 8443, "/hook?a=b")
    assert target.authority == "tool.example.org:8443"
    assert parse("https://tool.example.org").authority == "tool.example.org"
    assert parse("https://[2606:4700::1111]/x").host == "2606:4700::1111"
    assert parse("https://[2606:4700::1111]/x").authority == "[2606:4700::1111]"
    assert parse("http://127.0.0.1:1/", loopback=True).scheme == "http"
