"""The Merkle tree of RFC 6962 (section 2.1) over SHA-256: growing, roots, proofs and their verification. Pure.

A tree that only grows is kept as its *compact range*: the roots of its perfect subtrees, largest first, one for each 1
in the binary form of its size. A node is named (level, index): it is over 2^level leaves from index * 2^level on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

TILE_HEIGHT = 8
"""Nodes are stored at every eighth level only (as in C2SP tlog-tiles): the others are computed from at most 256."""

EMPTY_ROOT = sha256(b"").digest()

Node = Callable[[int, int], bytes]
"""Gives the hash of the perfect subtree (level, index)."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree's size and compact range."""

    size: int = 0
    frontier: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class NewNodes:
    """Consecutive nodes that a tree's growth completed at one stored level above the leaves."""

    level: int
    first: int
    hashes: tuple[bytes, ...]


def leaf_hash(entry: bytes) -> bytes:
    """Returns the hash of one entry."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Returns the hash of each entry."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def extend(tree: Tree, leaves: Sequence[bytes]) -> tuple[Tree, list[NewNodes]]:
    """Returns the tree with these leaf hashes after its own, and the nodes it completed at the stored levels.

    Works a level at a time: that is the fast way in Python, and what is left over at a level is the new frontier there.
    """
    known = list(reversed(tree.frontier))
    frontier: list[bytes] = []
    stored: list[NewNodes] = []
    level, start, nodes = 0, tree.size, list(leaves)
    while nodes:
        if level and level % TILE_HEIGHT == 0:
            stored.append(NewNodes(level, start, tuple(nodes)))
        if start & 1:
            nodes.insert(0, known.pop(0))
        if len(nodes) & 1:
            frontier.append(nodes.pop())
        pairs = iter(nodes)
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        level, start = level + 1, start >> 1
    frontier += known
    return Tree(tree.size + len(leaves), tuple(reversed(frontier))), stored


def root(tree: Tree) -> bytes:
    """Returns the tree's root hash."""
    if not tree.frontier:
        return EMPTY_ROOT
    *larger, found = tree.frontier
    for left in reversed(larger):
        found = node_hash(left, found)
    return found


# Proofs -------------------------------------------------------------------------------------------------------------


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Returns the audit path of leaf `index` in the tree of `size` leaves (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        msg = f"leaf {index} is not in a tree of {size}"
        raise ValueError(msg)
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(middle, high, node))
            high = middle
        else:
            path.append(_range(low, middle, node))
            low = middle
    path.reverse()
    return path


def consistency_proof(first: int, second: int, node: Node) -> list[bytes]:
    """Returns the proof that the tree of `second` leaves begins with the tree of `first` (RFC 6962, 2.1.2)."""
    if not 0 < first <= second:
        msg = f"no proof leads from {first} to {second} leaves"
        raise ValueError(msg)
    proof: list[bytes] = []
    low, high = 0, second
    whole = True
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            proof.append(_range(middle, high, node))
            high = middle
        else:
            proof.append(_range(low, middle, node))
            low, whole = middle, False
    if not whole:
        proof.append(_range(low, high, node))
    proof.reverse()
    return proof


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], expected: bytes) -> bool:
    """Tells whether `proof` shows leaf hash `leaf` at `index` under root `expected` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == expected


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tells whether `proof` shows that the tree of `second` leaves begins with that of `first` (RFC 9162, 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(size: int) -> int:
    """Returns the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _range(low: int, high: int, node: Node) -> bytes:
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, low >> level)
    middle = low + _split(size)
    return node_hash(_range(low, middle, node), _range(middle, high, node))


# Where nodes come from ------------------------------------------------------------------------------------------------


class TileNodes:
    """Nodes computed from those at the stored levels (0, 8, 16 ...) that are given; KeyError when one is missing."""

    def __init__(self, stored: Mapping[tuple[int, int], bytes]) -> None:
        self._stored = stored

    def __call__(self, level: int, index: int) -> bytes:
        if level % TILE_HEIGHT == 0:
            return self._stored[level, index]
        return node_hash(self(level - 1, 2 * index), self(level - 1, 2 * index + 1))


def tiles_needed(positions: Sequence[int], size: int) -> list[tuple[int, int, int]]:
    """Returns (level, first, end) of the stored nodes from which proofs about `positions` (leaves, or sizes of older
    trees) in a tree of `size` leaves can be computed: at each level the tile of each position and that of the edge.
    """
    needed = set()
    level = 0
    while size >> level or not level:
        count = size >> level
        for position in (*positions, size):
            first = position >> level >> TILE_HEIGHT << TILE_HEIGHT
            if first < count:
                needed.add((level, first, min(first + (1 << TILE_HEIGHT), count)))
        level += TILE_HEIGHT
    return sorted(needed)
