"""Reads a log's folder in the layout of c2sp.org/tlog-tiles: what a proof needs of its hash tiles."""

from __future__ import annotations

from pathlib import Path

from shared.tlog import tiles
from shared.tlog.merkle import TILE_HEIGHT, TileNodes, consistency_proof, tiles_needed
from shared.tlog.note import Checkpoint, split
from shared.tlog.proof import GrowthProof
from shared.tlog.tiles import HASH_SIZE, WIDTH


class UnreadableLog(Exception):
    """The folder is no whole log; the text says what is missing."""


def nodes_in(folder: Path, positions: list[int], size: int) -> TileNodes:
    """Returns the nodes that proofs about these positions in the tree of `size` are made of; raises UnreadableLog."""
    stored: dict[tuple[int, int], bytes] = {}
    for level, first, end in tiles_needed(positions, size):
        kind = tiles.hashes(level // TILE_HEIGHT)
        place = folder / tiles.place(kind, first, size >> level)
        full = folder / tiles.path(kind, first // WIDTH)
        try:
            content = (place if place.exists() else full).read_bytes()
        except OSError as error:
            raise UnreadableLog(f"a tile is missing: {error}") from None
        if len(content) < (end - first) * HASH_SIZE:
            raise UnreadableLog(f"{place} is too short")
        for n in range(end - first):
            stored[level, first + n] = content[n * HASH_SIZE : (n + 1) * HASH_SIZE]
    return TileNodes(stored)


def growth_in(folder: Path, old: int, note: str) -> GrowthProof:
    """Returns the proof that the log under this note, in this folder, begins with its first `old` lines.

    Where `old` is more than there is the proof is empty: a witness sees that. Raises BadNote, UnreadableLog.
    """
    size = Checkpoint.parse(split(note)[0]).size
    if not 0 < old < size:
        return GrowthProof(min(old, size), (), note)
    return GrowthProof(old, tuple(consistency_proof(old, size, nodes_in(folder, [old], size))), note)
