"""Cosignatures, policies, proofs as files, and what a witness decides: pure."""

from __future__ import annotations

from base64 import b64decode
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from shared.tlog import witness
from shared.tlog.cosignature import cosign, cosigned, witness_key, witness_name
from shared.tlog.merkle import TileNodes, Tree, consistency_proof, extend, inclusion_proof, leaf_hash, root
from shared.tlog.note import COSIGNATURE, BadNote, Checkpoint, NamedKey, decoded, sign, split
from shared.tlog.policy import BadPolicy, Policy
from shared.tlog.proof import GrowthProof, LineProof
from shared.tlog.trust import Trust
from shared.tlog.witness import FORGOT, FORKED, ROLLED_BACK, Judge

LOG = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEYS = {name: Ed25519PrivateKey.from_private_bytes(name.encode() * 32) for name in "abc"}
NAMED = {
    name: NamedKey(witness_name(name), COSIGNATURE, key.public_key().public_bytes_raw()) for name, key in KEYS.items()
}
ORIGIN = "samenkracht/wijzer/de-eik"
AT = 1_773_133_200


class Grown:
    """A log that is made here, line by line; `fork` continues another way from that line on."""

    def __init__(self, size: int, fork: int | None = None) -> None:
        told = [b"line %d" % n if fork is None or n < fork else b"other %d" % n for n in range(size)]
        self.entries = told
        self.leaves = [leaf_hash(entry) for entry in told]
        nodes = {(0, n): leaf for n, leaf in enumerate(self.leaves)}
        for new in extend(Tree(), self.leaves)[1]:
            nodes |= {(new.level, new.first + n): hash_ for n, hash_ in enumerate(new.hashes)}
        self.node = TileNodes(nodes)

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, root(extend(Tree(), self.leaves[:size])[0]))

    def note(self, size: int) -> str:
        return sign(self.checkpoint(size), LOG)

    def growth(self, old: int, size: int) -> str:
        path = consistency_proof(old, size, self.node) if old else []
        return GrowthProof(old, tuple(path), self.note(size)).text


def with_cosignature(note: str, name: str, at: int = AT) -> str:
    return note + cosign(split(note)[0], NAMED[name].name, KEYS[name], at).line


# Cosignatures -----------------------------------------------------------------------------------------------------


def test_a_cosignature_is_laid_out_as_c2sp_says() -> None:
    note = Grown(5).note(5)
    text = note.partition("\n\n")[0] + "\n"
    line = cosign(text, "w.example/1", KEYS["a"], AT).line
    dash, name, encoded = line.removesuffix("\n").split(" ")
    blob = b64decode(encoded)
    assert (dash, name, len(blob)) == ("\u2014", "w.example/1", 4 + 8 + 64)
    assert int.from_bytes(blob[4:12], "big") == AT
    KEYS["a"].public_key().verify(blob[12:], f"cosignature/v1\ntime {AT}\n{text}".encode())
    name, shown, key = witness_key("w.example/1", KEYS["a"].public_key()).split("+", 2)
    assert (bytes.fromhex(shown), b64decode(key)[:1]) == (blob[:4], b"\x04")


def test_who_signed_is_told_and_strangers_are_passed_over() -> None:
    note = with_cosignature(with_cosignature(Grown(5).note(5), "a"), "b", AT + 7)
    assert cosigned(note, [NAMED["a"], NAMED["c"]]) == {NAMED["a"].signer: AT}
    assert cosigned(note, NAMED.values()) == {NAMED["a"].signer: AT, NAMED["b"].signer: AT + 7}


def test_a_cosignature_of_another_text_or_another_moment_is_refused() -> None:
    grown = Grown(6)
    line = cosign(split(grown.note(5))[0], NAMED["a"].name, KEYS["a"], AT).line
    with pytest.raises(BadNote, match="does not fit"):
        cosigned(grown.note(6) + line, [NAMED["a"]])
    blob = bytearray(b64decode(line.split(" ")[2]))
    blob[11] ^= 1
    changed = type(split(grown.note(5))[1][0])(NAMED["a"].name, bytes(blob[:4]), bytes(blob[4:])).line
    with pytest.raises(BadNote, match="does not fit"):
        cosigned(grown.note(5) + changed, [NAMED["a"]])


@pytest.mark.parametrize("text", ["QR==", "QQ", "QQ==\n", "Q Q=", "*", "QQ==QQ=="])
def test_base64_has_one_form_only(text: str) -> None:
    assert decoded("QQ==") == b"A"
    with pytest.raises(BadNote):
        decoded(text)


# Policies -------------------------------------------------------------------------------------------------------


def policy(*lines: str) -> Policy:
    keys = "".join(
        f"witness {name} {witness_key(witness_name(name), key.public_key())}\n" for name, key in KEYS.items()
    )
    return Policy.parse("# ours\n\n" + keys + "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("group", "enough", "too_few"),
    [
        ("group g 2 a b c", ("ab", "bc", "abc"), ("", "a", "c")),
        ("group g any a b c", ("a", "b"), ("",)),
        ("group g all a b c", ("abc",), ("ab", "")),
        ("group in any a b\ngroup g all in c", ("ac", "bc"), ("ab", "c")),
    ],
)
def test_k_of_n_is_counted_as_the_policy_says(group: str, enough: tuple[str, ...], too_few: tuple[str, ...]) -> None:
    found = policy(*group.split("\n"), "quorum g")
    assert all(found.met([NAMED[name].signer for name in names]) for names in enough)
    assert not any(found.met([NAMED[name].signer for name in names]) for names in too_few)


def test_two_witnesses_of_one_name_are_two_and_one_cosignature_counts_once() -> None:
    twins = [NamedKey("w.example/1", COSIGNATURE, KEYS[name].public_key().public_bytes_raw()) for name in "ab"]
    lines = [f"witness {short} {key.text}" for short, key in zip("ab", twins, strict=True)]
    both = Policy.parse("\n".join([*lines, "group both all a b", "quorum both"]))
    note, text = Grown(5).note(5), split(Grown(5).note(5))[0]
    once = note + cosign(text, "w.example/1", KEYS["a"], AT).line
    assert not both.met(cosigned(once, both.keys))
    assert both.met(cosigned(once + cosign(text, "w.example/1", KEYS["b"], AT + 1).line, both.keys))


def test_a_policy_without_a_quorum_asks_for_none() -> None:
    assert policy("quorum none").met([])
    assert not policy("quorum a").met([])


def test_who_is_asked_stands_behind_the_key() -> None:
    key = witness_key("w", KEYS["a"].public_key())
    found = Policy.parse(f"witness here {key} nats:ask.cosign.x\nquorum here\n")
    assert found.asked == {"here": "ask.cosign.x"}


@pytest.mark.parametrize(
    "lines",
    [
        (), ("quorum d",), ("quorum a", "quorum b"), ("group g 4 a b c", "quorum g"), ("group g 0 a", "quorum g"),
        ("group g 1 a a", "quorum g"), ("group g 1 a", "group h 1 a", "quorum h"), ("group a 1 b", "quorum a"),
        ("group g x a", "quorum g"), ("nonsense", "quorum a"), ("witness d w+00000000+AAAA", "quorum a"),
        (f"witness d {witness_key('d', KEYS['a'].public_key())}", "quorum d"), ("group g 1 g", "quorum g"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(BadPolicy):
        policy(*lines)


def test_too_few_cosignatures_are_not_believed() -> None:
    trust = Trust(LOG.public_key(), policy("group g 2 a b c", "quorum g"))
    note = with_cosignature(Grown(5).note(5), "a")
    with pytest.raises(BadNote, match="too few"):
        trust.checked(note)
    with pytest.raises(BadNote, match="too few"):
        trust.checked(with_cosignature(note, "a", AT + 1))
    assert set(trust.checked(with_cosignature(note, "c"))[1]) == {NAMED["a"].signer, NAMED["c"].signer}


def proven(text: str) -> LineProof:
    read = LineProof.parse(text)
    read.check(Trust(LOG.public_key(), Policy()).checked(read.note, ORIGIN)[0])
    return read


# Proofs as files --------------------------------------------------------------------------------------------------


def test_a_line_proof_is_laid_out_as_c2sp_says_and_read_back() -> None:
    grown = Grown(300)
    made = LineProof(7, grown.entries[7], tuple(inclusion_proof(7, 300, grown.node)), grown.note(300))
    first, extra, index, *path = made.text.partition("\n\n")[0].split("\n")
    assert (first, index, len(path)) == ("c2sp.org/tlog-proof@v1", "index 7", 9)
    assert b64decode(extra.removeprefix("extra ")) == b"line 7"
    assert made.text.partition("\n\n")[2] == grown.note(300)
    assert proven(made.text) == made


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_of_a_proof_is_found(place: int, by: int) -> None:
    grown = Grown(20)
    made = LineProof(7, grown.entries[7], tuple(inclusion_proof(7, 20, grown.node)), grown.note(20))
    data = bytearray(made.text.encode())
    data[place % len(data)] ^= by
    with pytest.raises((BadNote, UnicodeDecodeError)):
        proven(data.decode())


@pytest.mark.parametrize("text", ["", "x", "old", "old 1", "c2sp.org/tlog-proof@v1\n\nx", "old -1\n\nx", "old 01\n\nx"])
def test_what_is_no_proof_is_refused_by_name(text: str) -> None:
    for kind in (LineProof, GrowthProof):
        with pytest.raises(BadNote):
            kind.parse(text)


# What a witness decides -------------------------------------------------------------------------------------------

JUDGE = Judge(NAMED["a"], LOG.public_key())


def test_a_log_that_grows_is_cosigned_step_by_step() -> None:
    random, grown = Random(3), Grown(600)
    seen = None
    for size in sorted(random.sample(range(1, 600), 40)):
        found = JUDGE.judge(seen, grown.growth(seen.size if seen else 0, size), ORIGIN)
        assert (found.status, found.alarms, found.keep) == (witness.OK, (), grown.checkpoint(size))
        assert found.sign == split(grown.note(size))[0]
        seen = found.keep
    again = JUDGE.judge(seen, grown.growth(seen.size if seen else 0, seen.size if seen else 0), ORIGIN)
    assert (again.status, again.keep) == (witness.OK, seen)


@pytest.mark.parametrize("fork", [0, 3, 49, 50])
@pytest.mark.parametrize("size", [50, 51, 90])
def test_a_fork_is_refused_and_loud(fork: int, size: int) -> None:
    seen, forked = Grown(60).checkpoint(51), Grown(100, fork=fork)
    found = JUDGE.judge(seen, forked.growth(min(51, size), size), ORIGIN)
    assert found.sign is None
    assert found.keep is None
    expected = ROLLED_BACK if size < 51 else FORKED
    assert found.alarms == (expected,)
    assert found.status == (witness.UNPROVEN if size > 51 else witness.CONFLICT)


def test_a_log_that_was_put_back_is_refused_and_loud() -> None:
    grown = Grown(60)
    found = JUDGE.judge(grown.checkpoint(51), grown.growth(40, 50), ORIGIN)
    assert (found.status, found.body, found.alarms) == (witness.CONFLICT, "51\n", (ROLLED_BACK,))
    assert (found.sign, found.keep) == (None, None)


def test_who_does_not_know_the_witness_is_told_its_size_without_alarm() -> None:
    grown = Grown(60)
    found = JUDGE.judge(grown.checkpoint(51), grown.growth(0, 60), ORIGIN)
    assert (found.status, found.body, found.alarms, found.sign) == (witness.CONFLICT, "51\n", (), None)


def test_a_witness_that_was_put_back_remembers_what_it_signed_and_says_so() -> None:
    grown = Grown(60)
    held = with_cosignature(grown.note(50), "a")
    for seen in (None, grown.checkpoint(20)):
        found = JUDGE.judge(seen, grown.growth(50, 60), ORIGIN, held)
        assert (found.status, found.alarms, found.keep) == (witness.OK, (FORGOT,), grown.checkpoint(60))
        forked = Grown(70, fork=30)
        found = JUDGE.judge(seen, forked.growth(20 if seen else 0, 60), ORIGIN, held)
        assert (found.sign, found.keep, found.alarms) == (None, grown.checkpoint(50), (FORGOT,))


def test_what_others_say_that_it_signed_a_witness_does_not_believe() -> None:
    grown = Grown(60)
    for held in (grown.note(50), with_cosignature(grown.note(50), "b"), "nothing"):
        found = JUDGE.judge(grown.checkpoint(20), grown.growth(20, 60), ORIGIN, held)
        assert (found.status, found.alarms) == (witness.OK, ())


def test_two_of_its_own_signatures_that_differ_are_a_fork() -> None:
    held = with_cosignature(Grown(60, fork=3).note(50), "a")
    found = JUDGE.judge(Grown(60).checkpoint(50), Grown(60).growth(50, 60), ORIGIN, held)
    assert (found.status, found.alarms, found.sign) == (witness.CONFLICT, (FORKED,), None)


def test_other_logs_and_other_keys_are_refused() -> None:
    grown = Grown(9)
    assert JUDGE.judge(None, grown.growth(0, 9), "samenkracht/wijzer/other").status == witness.UNKNOWN
    stranger = GrowthProof(0, (), sign(grown.checkpoint(9), KEYS["b"])).text
    assert JUDGE.judge(None, stranger, ORIGIN).status == witness.FORBIDDEN
    assert JUDGE.judge(None, grown.growth(0, 9).replace("old 0", "old 10"), ORIGIN).status == witness.BAD_REQUEST
    assert JUDGE.judge(None, "nothing", ORIGIN).status == witness.BAD_REQUEST
