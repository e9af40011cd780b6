"""Has a pack's blocks checked: here one by one, or, of a large pack in a folder, by a process for each processor."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from deploy.pack.blocks import Block, Checked, begin, check, run
from deploy.pack.derived import BLOCK
from deploy.pack.following import Following
from deploy.pack.layout import LINES, Manifest
from deploy.pack.shapes import Shapes
from deploy.pack.source import LONGEST, Source

LARGE = 100_000
"""Below so many lines other processes take longer to begin than the work does."""
AHEAD = 2
"""How many blocks wait for each process at most."""


def checked(
    source: Source, made: Manifest, following: Following, workers: int | None
) -> Generator[Checked, None, None]:
    """Yields every block of the lines of a pack, in order, checked; and that nothing follows is checked last."""
    if workers is None:
        workers = os.cpu_count() or 1 if made.end - made.first >= LARGE else 1
    if source.folder is None or workers == 1:
        yield from _here(source, made, following)
    else:
        yield from _beside(source.folder, source, made, following, workers)


def _blocks(made: Manifest, following: Following) -> Iterator[Block]:
    whole = made.end if made.first == 0 and made.end == made.size else 0
    for number, first in enumerate(range(made.first, made.end, BLOCK)):
        end = min(first + BLOCK, made.end)
        yield Block(number, first, end, made.school, whole, following.judged(first, end))


def _here(source: Source, made: Manifest, following: Following) -> Iterator[Checked]:
    lines, shapes = source.lines(LINES), Shapes()
    for block in _blocks(made, following):
        found = check(source, shapes, following.parquet, block, lines)
        if block.end == made.end and not found.bad and next(lines, None) is not None:
            found.report.add(LINES, MORE, made.end)
        yield found


MORE = "has more lines than the manifest says"


def _beside(folder: Path, source: Source, made: Manifest, following: Following, workers: int) -> Iterator[Checked]:
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=begin, initargs=(folder, following.parquet is not None)
    )
    waiting: deque[Future[Checked]] = deque()
    try:
        with source.open(LINES) as file:
            for block in _blocks(made, following):
                waiting.append(pool.submit(run, _at(block, file.tell())))
                for _ in range(block.first, block.end):
                    file.readline(LONGEST)
                if len(waiting) > AHEAD * workers:
                    yield waiting.popleft().result()
            more = file.read(1)
        while waiting:
            found = waiting.popleft().result()
            if more and not waiting and not found.bad:
                found.report.add(LINES, MORE, made.end)
            yield found
    except BrokenProcessPool:
        msg = "a process that checked lines was ended from outside: is there memory enough?"
        raise ChildProcessError(msg) from None
    finally:  # also when nobody asks for more, or Ctrl-C was pressed: what has begun is waited for, a moment
        pool.shutdown(cancel_futures=True)


def _at(block: Block, offset: int) -> Block:
    return Block(block.number, block.first, block.end, block.school, block.whole, block.judged, offset)
