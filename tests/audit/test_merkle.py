from __future__ import annotations

from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as their_consistency
from pymerkle import verify_inclusion as their_inclusion

from shared.tlog.merkle import (
    EMPTY_ROOT,
    TileNodes,
    Tree,
    consistency_proof,
    extend,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    tiles_needed,
    verify_consistency,
    verify_inclusion,
)

# The eight entries and roots that implementations of RFC 6962 are commonly tested with.
ENTRIES = tuple(
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in range(count)]


def grown(hashes: list[bytes]) -> Tree:
    return extend(Tree(), hashes)[0]


class Kept:
    """The stored nodes of a tree, as the tables keep them, and only those that a proof may read."""

    def __init__(self, hashes: list[bytes]) -> None:
        self.size = len(hashes)
        self.all = {(0, n): hash_ for n, hash_ in enumerate(hashes)}
        for new in extend(Tree(), hashes)[1]:
            self.all |= {(new.level, new.first + n): hash_ for n, hash_ in enumerate(new.hashes)}

    def nodes(self, position: int, size: int) -> TileNodes:
        ranges = tiles_needed([position], size)
        return TileNodes({(lv, n): self.all[lv, n] for lv, first, end in ranges for n in range(first, end)})


def test_vectors_of_rfc_6962() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root(Tree()) == EMPTY_ROOT
    hashes = [leaf_hash(entry) for entry in ENTRIES]
    assert [root(grown(hashes[: n + 1])).hex() for n in range(8)] == list(ROOTS)


def test_example_of_rfc_6962_with_seven_leaves() -> None:
    # Section 2.1.3: the hash tree of seven leaves, its audit paths and consistency proofs, by their letters there.
    a, b, c, d, e, f, j = leaves(7)
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, el = node_hash(g, h), node_hash(i, j)
    kept = Kept([a, b, c, d, e, f, j])
    assert root(grown([a, b, c, d, e, f, j])) == node_hash(k, el)
    node = kept.nodes(0, 7)
    assert inclusion_proof(0, 7, node) == [b, h, el]
    assert inclusion_proof(3, 7, node) == [c, g, el]
    assert inclusion_proof(4, 7, node) == [f, j, k]
    assert inclusion_proof(6, 7, node) == [i, k]
    assert consistency_proof(3, 7, node) == [c, d, g, el]
    assert consistency_proof(4, 7, node) == [el]
    assert consistency_proof(6, 7, node) == [i, j, k]


def their_tree(count: int) -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for n in range(count):
        tree.append_entry(b"%d" % n)
    return tree


def test_roots_and_proofs_agree_with_pymerkle_for_every_size_to_300() -> None:
    theirs, random = their_tree(300), Random(1)
    kept = Kept(leaves(300))
    tree = Tree()
    for size in range(1, 301):
        tree, _ = extend(tree, [leaf_hash(b"%d" % (size - 1))])
        assert root(tree) == theirs.get_root(size)
        index, first = random.randrange(size), random.randrange(size) + 1
        path = inclusion_proof(index, size, kept.nodes(index, size))
        proof = theirs.prove_inclusion(index + 1, size)
        their_inclusion(theirs.get_leaf(index + 1), theirs.get_root(size), proof)
        assert verify_inclusion(index, size, theirs.get_leaf(index + 1), path, theirs.get_root(size))
        # Theirs holds the leaf too, and goes from left to right.
        assert sorted([*path, theirs.get_leaf(index + 1)]) == sorted(map(bytes.fromhex, proof.serialize()["path"]))
        between = consistency_proof(first, size, kept.nodes(first, size))
        assert verify_consistency(first, size, theirs.get_root(first), theirs.get_root(size), between)
        their_consistency(theirs.get_root(first), theirs.get_root(size), theirs.prove_consistency(first, size))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_pymerkle_on_random_large_trees(seed: int) -> None:
    random = Random(seed)
    size = random.randrange(5_000, 20_000)
    theirs, hashes = their_tree(size), leaves(size)
    tree = Tree()
    done = 0
    while done < size:
        step = random.choice([1, 3, 256, 500, 2000])
        tree, _ = extend(tree, hashes[done : done + step])
        done += step
    assert (tree.size, root(tree)) == (size, theirs.get_root())
    kept = Kept(hashes)
    for _ in range(100):
        at = random.randrange(1, size + 1)
        index = random.randrange(at)
        path = inclusion_proof(index, at, kept.nodes(index, at))
        assert verify_inclusion(index, at, hashes[index], path, theirs.get_root(at))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_growing_in_any_steps_gives_one_tree(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 1200))
    hashes, tree, nodes = leaves(size), Tree(), dict[tuple[int, int], bytes]()
    while tree.size < size:
        step = data.draw(st.integers(0, 700))
        tree, completed = extend(tree, hashes[tree.size : tree.size + step])
        for new in completed:
            for n, hash_ in enumerate(new.hashes):
                assert (new.level, new.first + n) not in nodes, "a node was completed twice"
                nodes[new.level, new.first + n] = hash_
    assert tree == grown(hashes)
    assert nodes == {name: hash_ for name, hash_ in Kept(hashes).all.items() if name[0]}


def other(hash_: bytes) -> bytes:
    return sha256(hash_).digest()


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_an_inclusion_proof_proves_its_own_leaf_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 700))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    top = root(grown(hashes))
    path = inclusion_proof(index, size, Kept(hashes).nodes(index, size))
    assert verify_inclusion(index, size, hashes[index], path, top)
    assert not verify_inclusion(index, size, other(hashes[index]), path, top)
    assert not verify_inclusion(index, size, hashes[index], path, other(top))
    assert not verify_inclusion(size, size, hashes[index], path, top)
    assert not verify_inclusion(index, size, hashes[index], [*path, top], top)
    elsewhere = data.draw(st.integers(0, size - 1))
    if elsewhere != index:
        assert not verify_inclusion(elsewhere, size, hashes[index], path, top)
    if path:
        spot = data.draw(st.integers(0, len(path) - 1))
        assert not verify_inclusion(index, size, hashes[index], path[:spot] + path[spot + 1 :], top)
        changed = [*path[:spot], other(path[spot]), *path[spot + 1 :]]
        assert not verify_inclusion(index, size, hashes[index], changed, top)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_consistency_proof_proves_a_beginning_and_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 700))
    first = data.draw(st.integers(1, size))
    hashes = leaves(size)
    old, new = root(grown(hashes[:first])), root(grown(hashes))
    proof = consistency_proof(first, size, Kept(hashes).nodes(first, size))
    assert verify_consistency(first, size, old, new, proof)
    assert not verify_consistency(first, size, other(old), new, proof)
    assert not verify_consistency(first, size, old, other(new), proof)
    assert not verify_consistency(first, size, old, new, [*proof, new])
    spot = data.draw(st.integers(0, first - 1))
    forged = root(grown([*hashes[:spot], other(hashes[spot]), *hashes[spot + 1 : first]]))
    assert not verify_consistency(first, size, forged, new, proof)
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:place], other(proof[place]), *proof[place + 1 :]]
        assert not verify_consistency(first, size, old, new, changed)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_is_made_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree"):
        inclusion_proof(index, size, Kept(leaves(3)).nodes(0, 3))


def test_no_consistency_from_nothing_or_backwards() -> None:
    for first, second in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="no proof leads"):
            consistency_proof(first, second, Kept(leaves(3)).nodes(0, 3))
        assert not verify_consistency(first, second, EMPTY_ROOT, EMPTY_ROOT, [])
