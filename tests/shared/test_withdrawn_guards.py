"""Each guard of "withdrawn means withdrawn" holds on the real functions, and with it cut out the same scene lets a
release through: none of them is there for nothing, and none can be lost unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest

from tests.shared.scene import Scene

# Scenes: each tells whether the release went through that must not ----------------------------------------------------


async def while_it_is_applied(scene: Scene) -> bool:
    """The projector has the new grants in hand and did not commit yet: whoever commits waits, and then reads them."""
    await scene.lease()
    applying = scene.other.transaction()
    await applying.start()
    await scene.project(scene.other, 2, 2)
    releasing = asyncio.create_task(scene.release())
    await scene.waits(scene.one, releasing)
    await applying.commit()
    return await releasing


async def applied_before_a_release_has_ended(scene: Scene) -> bool:
    """Whoever applies waits for every release under way: else it were confirmed before the line is there."""
    await scene.lease()
    releasing = scene.one.transaction()
    await releasing.start()
    assert await scene.release()
    applying = asyncio.create_task(scene.project(scene.other, 2, 2))
    overtaken = not await scene.waits(scene.other, applying)
    await releasing.commit()
    await applying
    return overtaken


async def withdrawn_before_a_release_of_network_has_ended(scene: Scene) -> bool:
    """The same in network, where the withdrawal itself takes the lock."""
    releasing = scene.one.transaction()
    await releasing.start()
    assert await scene.release(authority=True)
    withdrawing = asyncio.create_task(scene.release(scene.other, authority=True, locks=(scene.child,)))
    # Both append to one journal, whose lock comes last: what is waited for must be the subject.
    overtaken = not await scene.waits(scene.other, withdrawing) or not await scene.one.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = $1 AND NOT granted)",
        scene.other.get_server_pid(),
    )
    await releasing.commit()
    await withdrawing
    return overtaken


async def on_grants_that_changed(scene: Scene) -> bool:
    await scene.lease()
    async with scene.other.transaction():
        await scene.project(scene.other, 2, 2)
    return await scene.release()


async def on_an_old_lease(scene: Scene) -> bool:
    await scene.lease(age_s=2.0)
    assert await scene.release()
    await scene.one.execute("UPDATE access_lease SET reading = clock_timestamp() - interval '5 seconds'")
    return await scene.release()


async def behind_the_head_of_its_lease(scene: Scene) -> bool:
    await scene.lease(head=2)
    return await scene.release()


async def on_a_lease_of_another_generation(scene: Scene) -> bool:
    await scene.lease()
    await scene.one.execute("UPDATE access_generation SET generation = 'rebuilt'")
    return await scene.release()


async def while_it_is_rebuilt(scene: Scene) -> bool:
    await scene.one.execute("UPDATE access_generation SET rebuilding = true")
    await scene.lease()
    return await scene.release()


async def on_a_grant_that_ends_under_way(scene: Scene) -> bool:
    await scene.lease()
    now = await scene.one.fetchval("SELECT clock_timestamp()")
    return await scene.release(until=now + timedelta(seconds=1.9))


async def on_an_old_word_for_one_child(scene: Scene) -> bool:
    await scene.vouch(1)
    assert await scene.release()
    await scene.vouch(1, age_s=5.0)
    return await scene.release()


async def on_a_word_of_another_generation(scene: Scene) -> bool:
    await scene.vouch(1)
    await scene.one.execute("UPDATE access_generation SET generation = 'rebuilt'")
    return await scene.release()


async def on_a_word_that_came_too_late(scene: Scene) -> bool:
    """Network was asked before the withdrawal, and its answer is stored after it was applied."""
    async with scene.other.transaction():
        await scene.project(scene.other, 2, 2)
    await scene.vouch(1)
    return await scene.release()


LOCKING = """        IF v_lock.exclusive THEN
            PERFORM pg_advisory_xact_lock(v_lock.key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(v_lock.key);
        END IF;
"""
ALL_LOCKS = (
    "    FOR v_lock IN\n        SELECT access_key",
    LOCKING + "    END LOOP;\n",
    "    IF jsonb_array_length(p_keys) > 0 THEN\n",
)
"""Where taking the locks begins and ends, and where the checks have ended."""


def read_first(text: str) -> str:
    """Puts the locks behind the checks."""
    begin, end = text.index(ALL_LOCKS[0]), text.index(ALL_LOCKS[1]) + len(ALL_LOCKS[1])
    locks, rest = text[begin:end], text[:begin] + text[end:]
    return rest.replace(ALL_LOCKS[2], locks + ALL_LOCKS[2])


def without(guard: str, instead: str = "") -> Callable[[str], str]:
    return lambda text: text.replace(guard, instead)


@dataclass(frozen=True)
class Guard:
    """A guard in a function, how it is taken out, and the scene that it decides."""

    name: str
    function: str
    cut: Callable[[str], str]
    scene: Callable[[Scene], Awaitable[bool]]


SHARED = "            PERFORM pg_advisory_xact_lock_shared(v_lock.key);\n"
GENERATION = " AND l.generation = generation_now()"
GUARDS = (
    Guard("lock", "commit_changes", without(SHARED, "            NULL;\n"), while_it_is_applied),
    Guard("lock_first_then_read", "commit_changes", read_first, while_it_is_applied),
    Guard(
        "projectors_lock",
        "open_lane",
        without("        PERFORM pg_advisory_xact_lock(v_key);\n", "        NULL;\n"),
        applied_before_a_release_has_ended,
    ),
    Guard(
        "networks_lock",
        "commit_changes",
        without("            PERFORM pg_advisory_xact_lock(v_lock.key);\n", "            NULL;\n"),
        withdrawn_before_a_release_of_network_has_ended,
    ),
    Guard(
        "revision",
        "commit_changes",
        without("v_access.version IS DISTINCT FROM (v_part->>'revision')::int", "false"),
        on_grants_that_changed,
    ),
    Guard("lease_ends", "leased", without(" AND p_now < l.reading + interval '5 seconds'"), on_an_old_lease),
    Guard("lease_head", "leased", without(" AND coalesce(c.seq, 0) >= l.seq"), behind_the_head_of_its_lease),
    Guard("generation", "leased", without(GENERATION), on_a_lease_of_another_generation),
    Guard("rebuilding", "commit_changes", without("           OR v_closed\n"), while_it_is_rebuilt),
    Guard(
        "holds_for_the_time_limit",
        "commit_changes",
        without("v_now + interval '2 seconds'", "v_now"),
        on_a_grant_that_ends_under_way,
    ),
    Guard(
        "one_childs_lease_ends",
        "row_leased",
        without(" AND p_now < p_row.lease_reading + interval '5 seconds'"),
        on_an_old_word_for_one_child,
    ),
    Guard(
        "one_childs_generation",
        "row_leased",
        without("       AND p_row.lease_generation = generation_now();", ";"),
        on_a_word_of_another_generation,
    ),
    Guard(
        "no_older_word",
        "store_vouched",
        without("     WHERE a.version <= excluded.version"),
        on_a_word_that_came_too_late,
    ),
)
IDS = [guard.name for guard in GUARDS]


@pytest.mark.parametrize("guard", GUARDS, ids=IDS)
async def test_nothing_is_released(scene: Scene, guard: Guard) -> None:
    assert not await guard.scene(scene)


@pytest.mark.parametrize("guard", GUARDS, ids=IDS)
async def test_without_the_guard_the_same_scene_releases(scene: Scene, guard: Guard) -> None:
    owner = await asyncpg.connect(scene.made.owner_dsn)
    text = await owner.fetchval("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1", guard.function)
    cut = guard.cut(text)
    assert cut != text, "the guard is not there as it is written here"
    await owner.execute(cut)
    await owner.close()
    assert await guard.scene(scene)
