"""Who asks what, read strictly: the server's word counts, the tool's subject and headers are its own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gate.arriving import Arrival, Stray, account_of, arrival
from tests.gate.door.support import account, user

A, B, U = account(1), account(2), user(1)
REPLY = "_R_.abc.def"


def info(**more: object) -> dict[str, str]:
    return {"Nats-Request-Info": json.dumps({"acc": A, "user": U, "rtt": 12} | more)}


def test_a_request_as_the_server_brings_it_is_read() -> None:
    assert arrival(f"in.{A}.goals.score-goal", REPLY, info()) == Arrival(A, U, "goals", "score-goal")
    assert account_of(f"in.{A}.goals.score-goal") == A


@pytest.mark.parametrize(
    ("subject", "reply", "headers", "code"),
    [
        (f"in.{A}.goals.goal", "", info(), "reply_elsewhere"),
        (f"in.{A}.goals.goal", "_INBOX.gate.x", info(), "reply_elsewhere"),
        (f"in.{A}.goals.goal", f"in.{B}.goals.goal", info(), "reply_elsewhere"),
        (f"in.{A}.goals.goal", "$JS.API.STREAM.PURGE.OUT", info(), "reply_elsewhere"),
        (f"in.{A}.goals.goal", "_R_", info(), "reply_elsewhere"),
        (f"in.{B}.goals.goal", REPLY, info(), "other_account"),
        (f"in.{A}.goals.goal", REPLY, info(acc=B), "other_account"),
        (f"in.{A}.goals.goal", REPLY, info(user=""), "no_user"),
        (f"in.{A}.goals.goal", REPLY, info(user=A), "no_user"),
        (f"in.{A}.goals.goal", REPLY, info(user=7), "no_user"),
        (f"in.{A}.goals.goal", REPLY, info(acc=7), "no_user"),
        (f"in.{A}.goals.goal", REPLY, {}, "no_request_info"),
        (f"in.{A}.goals.goal", REPLY, None, "no_request_info"),
        (f"in.{A}.goals.goal", REPLY, {"Nats-Request-Info": "{"}, "no_request_info"),
        (f"in.{A}.goals.goal", REPLY, {"Nats-Request-Info": "[]"}, "no_request_info"),
        (f"in.{A}.goals.goal", REPLY, {"nats-request-info": info()["Nats-Request-Info"]}, "no_request_info"),
        (f"in.{A}.goals", REPLY, info(), "bad_subject"),
        (f"in.{A}.goals.goal.more", REPLY, info(), "bad_subject"),
        (f"out.{A}.goals.goal", REPLY, info(), "bad_subject"),
        ("in", REPLY, info(), "bad_subject"),
        (f"in.{A[:-1]}.goals.goal", REPLY, info(acc=A[:-1]), "bad_account"),
        (f"in.{A.lower()}.goals.goal", REPLY, info(acc=A.lower()), "bad_account"),
        (f"in.{U}.goals.goal", REPLY, info(acc=U), "bad_account"),
        (f"in.{A}.Goals.goal", REPLY, info(), "bad_name"),
        (f"in.{A}.goals.goal*", REPLY, info(), "bad_name"),
        (f"in.{A}.goals.", REPLY, info(), "bad_name"),
        (f"in.{A}.goals.{'g' * 65}", REPLY, info(), "bad_name"),
        (f"in.{A}.../goals.goal", REPLY, info(), "bad_subject"),
    ],
)
def test_anything_else_is_a_stray(subject: str, reply: str, headers: dict[str, str] | None, code: str) -> None:
    with pytest.raises(Stray, match=f"^{code}$"):
        arrival(subject, reply, headers)


@given(st.text(max_size=90), st.text(max_size=20), st.dictionaries(st.text(max_size=20), st.text(max_size=60)))
def test_no_subject_and_no_header_is_read_by_chance_or_fails_otherwise(
    subject: str, reply: str, headers: dict[str, str]
) -> None:
    with pytest.raises(Stray):
        arrival(subject, reply, headers)
