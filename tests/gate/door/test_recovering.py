"""What a restored database of the gate takes back of its tools: which login counts, who is paused or removed."""

from __future__ import annotations

import pytest

from services.gate.recovering import taken_back
from shared.errors import Problem, ProblemType
from shared.events.gate import LoginIssued
from tests.gate.door.support import Office, user
from tests.gate.door.test_webhooks import FIRST, SECOND, URL


async def test_a_restored_database_takes_back_which_login_counts(office: Office) -> None:
    await office.register()
    first = await office.ask("issue-login", office.keeper, user_key=user(1))
    before = await office.rows("SELECT * FROM tool_login")
    second = await office.ask("issue-login", office.keeper, user_key=user(2))
    tail = [event for event in await office.told() if event.is_a(LoginIssued)]
    for put_back in (f"login = '{user(1)}', key = 0, ends = ends[1:1], version = {before[0]['version']}", None):
        async with office.db.school(office.school) as conn:
            await conn.execute(f"UPDATE tool_login SET {put_back}" if put_back else "DELETE FROM tool_login")
            await taken_back(office.ids, conn, tail)
        (row,) = await office.rows("SELECT * FROM tool_login")
        assert (row["login"], row["key"]) == (user(2), 1)
        assert [one.isoformat() for one in row["ends"]] == [first["expires_at"], second["expires_at"]]
    with pytest.raises(Problem) as problem:
        await office.ask("renew", office.as_tool(), login=user(1))
    assert problem.value.type is ProblemType.FORBIDDEN


@pytest.mark.parametrize("how", [["pause-tool"], ["pause-tool", "resume-tool"], ["remove-tool"]])
@pytest.mark.parametrize("channel", ["nats", "webhook"])
async def test_a_restored_database_takes_back_what_became_of_a_tool(
    office: Office, channel: str, how: list[str]
) -> None:
    await office.register(channel=channel)
    if channel == "webhook":
        await office.ask("set-webhook", office.keeper, url=URL, secret=FIRST, version=0)
    (before,), known = await office.rows("SELECT * FROM tool"), len(await office.told())
    for version, name in enumerate(how, 1):
        await office.ask(name, office.keeper, version=version)
    (after,), tail = await office.rows("SELECT * FROM tool"), (await office.told())[known:]
    async with office.db.school(office.school) as conn:
        back = "UPDATE tool SET state = 'active', version = 1, secret = $1"
        await conn.execute(back, before["secret"])
        await taken_back(office.ids, conn, tail)
    (found,) = await office.rows("SELECT * FROM tool")
    assert (found["state"], found["version"]) == (after["state"], after["version"])
    assert (found["secret"] == before["secret"]) is (how != ["remove-tool"])
    hooks = await office.rows("SELECT * FROM webhook")
    assert len(hooks) == (channel == "webhook" and how != ["remove-tool"])


@pytest.mark.parametrize("how", ["set-webhook", "take-webhook-key"])
async def test_a_webhook_of_a_lost_tail_leads_nowhere_until_it_is_set_anew(office: Office, how: str) -> None:
    await office.register(channel="webhook")
    await office.ask("set-webhook", office.keeper, url=URL, secret=FIRST, version=0)
    known = len(await office.told())
    await office.ask(how, office.keeper, **({"url": URL} if how == "set-webhook" else {}), secret=SECOND, version=1)
    async with office.db.school(office.school) as conn:
        await taken_back(office.ids, conn, (await office.told())[known:])
    with pytest.raises(Problem) as problem:
        await office.ask("webhook", office.keeper)
    assert problem.value.more["code"] == "no_webhook"
    await office.ask("set-webhook", office.keeper, url=URL, secret=SECOND, version=0)
