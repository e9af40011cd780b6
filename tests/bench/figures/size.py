"""What a service weighs, whether it grows, and how soon `samen up` is ready."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from deploy.environment import base_environment
from shared.actor import CACHE_SIZE, Actor, mint
from shared.events.words import ActorKind
from tests.bench.event import SCHOOLS, teacher
from tests.bench.figures.transport import journal
from tests.bench.harness import Report, Run, Target, report
from tests.bench.product.platform import Platform, platform
from tests.bench.servers import BenchServers

EVENTS = 100_000
WARM = 20_000
STEP = 10_000
IN_FLIGHT = 64
READY_TIMEOUT_S = 90.0
MEMORY_TIMEOUT_S = 500.0
READY = b"Samenkracht runs in"


ASKED = {"goals": "goals-of-child", "network": "children", "notifications": "inbox", "audit": "tail"}


async def fill_tokens(product: Platform, service: str) -> None:
    """Has a service verify more tokens than it remembers; the empty body is refused only after that, at little cost."""
    now = datetime.now(UTC)
    places = iter(range(CACHE_SIZE + 200))

    async def work() -> None:
        for place in places:
            school = SCHOOLS[place % len(SCHOOLS)]
            actor = Actor(teacher(school), ActorKind.PERSON, school, "samen", operator=f"operator-{place}")
            headers = {"Authorization": f"Bearer {mint(product.key, actor, now)}"}
            with contextlib.suppress(TimeoutError):
                await product.door.request(
                    f"qry.{school}.{service}.{ASKED[service]}", b"{}", timeout=8, headers=headers
                )

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def weighing(product: Platform) -> Run:
    """Returns a run that fills every service's caches, has 100,000 events relayed and taken, and weighs all."""

    async def run() -> Mapping[str, float]:
        for service in ASKED:
            await fill_tokens(product, service)
        print("  tokens remembered", file=sys.stderr, flush=True)
        weights: dict[str, list[float]] = {service: [] for service in ASKED}
        for done in range(0, EVENTS, STEP):
            await journal(product.databases["goals"], STEP)
            await product.lag.until(await product.journaled())
            print(f"  {done + STEP} events", file=sys.stderr, flush=True)
            if done + STEP >= WARM:
                for service, seen in weights.items():
                    seen.append(product.rss_mb(service))
        most = {f"{service}_mb": max(seen) for service, seen in weights.items()}
        return most | {f"{service}_growth": seen[-1] / seen[0] for service, seen in weights.items()}

    return run


async def memory(servers: BenchServers, runs: int) -> list[Report]:
    """Weighs the services; once, whatever `runs` says: it is the growth that counts."""
    del runs
    async with platform(servers, tuple(ASKED)) as product:
        return [
            await report(
                "memory: resident MB",
                {"product": weighing(product)},
                (
                    *(Target(f"{name}, caches full", f"{name}_mb", "product", at_most=110) for name in ASKED),
                    *(
                        Target(f"{name}, 100,000 over 20,000", f"{name}_growth", "product", at_most=1.1)
                        for name in ASKED
                    ),
                ),
                1,
                "goals relays the 100,000 events; audit makes lines and files of them, notifications reads them",
                timeout_s=MEMORY_TIMEOUT_S,
            )
        ]


@asynccontextmanager
async def up() -> AsyncIterator[Path]:
    """Runs the whole platform in a new folder, gives the folder once it is ready, and stops it."""
    root = Path(tempfile.mkdtemp(prefix="samen-bench-up-"))
    root.chmod(0o711)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.samen", "up", "--dir", str(root / "home"),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=base_environment(),
    )  # fmt: skip
    try:
        if process.stdout is None:
            raise RuntimeError("no standard output")
        seen = b""
        async with asyncio.timeout(READY_TIMEOUT_S):
            while READY not in seen:
                part = await process.stdout.read(4096)
                if not part:
                    raise RuntimeError(f"samen up ended: {seen[-300:].decode('utf-8', 'replace')}")
                seen += part
        yield root / "home"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 40)
        shutil.rmtree(root, ignore_errors=True)


async def bring_up() -> Mapping[str, float]:
    """Returns the seconds from nothing to the platform's being ready."""
    started = time.monotonic()
    async with up():
        return {"ready_s": time.monotonic() - started}


async def start(servers: BenchServers, runs: int) -> list[Report]:
    """Measures `samen up` from nothing: keys, databases, migrations, servers, services."""
    del servers
    return [
        await report(
            "start: samen up, from an empty folder",
            {"product": bring_up},
            (Target("seconds to ready", "ready_s", "product", at_most=15),),
            runs,
        )
    ]
