"""A child's file from answers as services give them: whole or none, readable, and nothing in it becomes a tag."""

from __future__ import annotations

import json
import re
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.childfile.gather import Gatherer, received, whole
from deploy.childfile.labels import KEYS
from deploy.childfile.page import ID, REPEATED, TECHNICAL, page
from deploy.samen.child_file import DATA, write
from shared.errors import Problem, ProblemType
from tests.audit.test_pack_forms import NASTY, read

CHILD, MUM, CARER, CARE = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 5))
GOAL, PLAN, AFTER, TALK, OLDER = (f"00000000-0000-4000-8000-00000000010{n}" for n in range(5))
PAGED = frozenset({"audit.story", "audit.who-looked", "goals.conversations", "notifications.inbox"})


def line(idx: int, **more: object) -> dict[str, Any]:
    base = {"idx": idx, "actor": CARER, "role": "care_professional", "organisation": CARE, "outcome": "permitted"}
    base |= {"category": "goals", "purpose": "guidance", "basis": "consent", "consent": GOAL}
    return {**base, "occurred_at": f"2026-11-0{idx % 9 + 1}T09:00:00Z", **more}


class Services:
    """Answers like the services do, and notes what was asked."""

    def __init__(self, forbidden: tuple[str, ...] = (), broken: str = "", paged: frozenset[str] = PAGED) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._forbidden, self._broken, self._paged = forbidden, broken, paged

    async def ask(self, service: str, query: str, body: dict[str, Any]) -> dict[str, Any]:
        name = f"{service}.{query}"
        self.asked.append((name, body))
        if name in self._forbidden:
            raise Problem(ProblemType.FORBIDDEN, "no")
        if name == self._broken:
            raise Problem(ProblemType.UNAVAILABLE, "later")
        return self._answer(name, body)

    def _answer(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        member: dict[str, Any] = {
            "person": CARER,
            "given_name": "Cor",
            "family_name": "Zorg",
            "role": "care_professional",
        }
        member |= {"organisation": CARE, "organisation_name": "Zorg Samen", "version": 3}
        more = body.get("before") is None
        answers: dict[str, dict[str, Any]] = {
            "network.child-file": {"child": CHILD, "given_name": "Kim", "family_name": "Voorbeeld"},
            "network.child-network": {"members": [member]},
            "goals.goals-of-child": {"goals": [{"id": GOAL}], "next": None if "after" in body else AFTER},
            "goals.goal": {"goal": {"statement": NASTY, "target_on": "2026-12-01", "content_hash": "ab" * 32}},
            "goals.plans-of-child": {"plans": [{"id": PLAN}]},
            "goals.plan": {"plan": {"id": PLAN}, "text": {"number": body.get("number", 3), "outlook": "verder"}},
            "goals.agreements": {"answers": []},
            "goals.goal-history": {"history": [{"step": "reworded"}]},
            "goals.conversations": {"conversations": [{"id": TALK if more else OLDER}]},
            "goals.conversation": {"conversation": {"id": body.get("conversation")}, "my_heard": "mostly"},
            "notifications.inbox": {
                "notices": [{"about": CHILD, "words": "hier"}, {"about": MUM, "words": "elders"}]
                if more
                else [{"about": CHILD, "words": "eerder"}]
            },
            "audit.story": {"sentences": [{"sentence": f"De leraar keek ({body.get('language')})."}]},
            "audit.break-glass": {"emergencies": [{"member": CARER, "review": {"outcome": "justified"}}]},
            "audit.who-looked": {"lines": [line(1), line(3)] if more else [line(2, outcome="denied")]},
        }
        paged = {"next": 7 if more else None} if name in self._paged else {}
        return answers.get(name, {}) | paged


async def made(services: Services) -> dict[str, Any]:
    gathered = Gatherer(services.ask, CHILD)
    await gathered.run()
    return whole(gathered, "de-eik", CHILD, MUM, "2026-11-29T10:00:00+00:00")


async def test_every_page_of_every_service_is_asked_and_kept() -> None:
    services = Services()
    file = await made(services)
    assert services.asked[0] == ("network.child-file", {"child": CHILD}), "first whether it may be taken along"
    names = [name for name, _ in services.asked]
    assert {name.partition(".")[0] for name in names} == {"network", "goals", "notifications", "audit"}
    assert [body for name, body in services.asked if name == "goals.goals-of-child"][1]["after"] == AFTER
    assert len(file["parts"]["goals"]["goals"]) == 2
    (plan,) = file["parts"]["goals"]["plans"]
    assert [one["number"] for one in plan["older"]] == [1, 2]
    assert len(file["parts"]["audit"]["who-looked"]["lines"]) == 3
    assert [one["words"] for one in file["parts"]["notifications"]["inbox"]] == ["hier", "eerder"], (
        "only about this child"
    )
    assert [one["history"]["history"][0]["step"] for one in file["parts"]["goals"]["goals"]] == ["reworded"] * 2
    talks = file["parts"]["goals"]["conversations"]
    assert [(one["conversation"]["id"], one["my_heard"]) for one in talks] == [(TALK, "mostly"), (OLDER, "mostly")]
    assert file["not_for_this_reader"] == []
    assert ("network.emergencies", {"child": CHILD}) not in services.asked, "which knows of no restriction"
    assert file["parts"]["audit"]["break-glass"]["emergencies"][0]["member"] == CARER
    told = page(file, "nl")
    assert all(words in told for words in ("Toegang in een noodsituatie", "het was nodig"))
    assert "<time>" in told, "a moment is not broken over lines"


async def test_what_the_reader_may_not_see_is_named_and_a_service_that_is_away_makes_no_file() -> None:
    file = await made(Services(forbidden=("network.ecogram", "goals.goals-of-child")))
    assert file["not_for_this_reader"] == ["network.ecogram", "goals.goals-of-child"]
    assert "Wat hier niet in staat" in page(file, "nl")
    with pytest.raises(Problem):
        await made(Services(broken="goals.plan"))
    with pytest.raises(Problem):
        await made(Services(forbidden=("network.child-file",)))


async def test_a_conversation_or_history_that_is_not_the_readers_is_named_too() -> None:
    """As goals answers before it had pages: without `next`."""
    hidden = ("goals.conversation", "goals.goal-history")
    file = await made(Services(hidden, paged=PAGED - {"goals.conversations"}))
    assert file["not_for_this_reader"] == ["goals.goal-history", "goals.conversation"]
    assert file["parts"]["goals"]["conversations"] == [{"id": TALK}]
    assert "history" not in file["parts"]["goals"]["goals"][0]


async def test_who_received_what_is_told_with_names_and_periods() -> None:
    file = await made(Services())
    (one,) = received([line(2), line(5, category="plan"), line(8, outcome="denied")])
    assert (one["categories"], one["times"]) == (["goals", "plan"], 2)
    assert (one["first_at"][:10], one["last_at"][:10]) == ("2026-11-03", "2026-11-06")
    told = read(page(file, "nl")).text
    for words in ("Cor Zorg, hulpverlener, Zorg Samen", "doelen", "begeleiding", "toestemming", "Kim Voorbeeld"):
        assert words in told
    assert "De leraar keek (nl)." in told
    assert "The file of Kim Voorbeeld" in read(page(file, "en")).text
    assert "De leraar keek (en)." in read(page(file, "en")).text


@pytest.mark.parametrize("language", ["nl", "en"])
async def test_what_people_wrote_is_shown_and_never_becomes_a_tag(language: str) -> None:
    found = read(page(await made(Services()), language))
    assert NASTY in found.text
    assert not {"script", "img", "link", "a", "form"} & set(found.tags)
    assert "default-src 'none'" in str(found.attributes)
    assert GOAL not in found.text, "ids and hashes tell a reader nothing; they are in the JSON"
    assert "abab" not in found.text
    assert "01-12-2026" in found.text


TOLD = {
    "goals": "Goals OneGoal GoalHistory Scores Plans OnePlan Agreements Talks OneTalk Deadlines",
    "network": "ChildFile ChildNetwork Consents Deciders Ecogram Expectations",
    "notifications": "Inbox",
}
"""What a file is made of, of the replies that are kept."""


def fields(value: Any) -> set[str]:  # noqa: ANN401  JSON
    found = set(value) if isinstance(value, dict) else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found.union(*map(fields, inner))


@pytest.mark.parametrize("service", TOLD)
def test_every_field_that_a_reader_sees_has_a_name_in_both_languages(service: str) -> None:
    replies = json.loads(Path(f"tests/contracts/replies/{service}.json").read_text())
    shown = {
        name
        for reply in TOLD[service].split()
        for name in fields(replies[f"{reply}Reply"])
        if not ID.match(name) and not TECHNICAL.search(name) and name not in {"id", *REPEATED}
    }
    assert shown, "control"
    assert not shown - KEYS.keys()


async def test_the_page_calls_nothing_by_an_id_and_says_nothing_twice() -> None:
    file = await made(Services())
    given = {"standings": {GOAL: "agreed"}, "author": CARER, "author_name": "Cor Zorg", "taken_at": "2026-11-01"}
    file["parts"]["goals"] = {"plans": [given]}
    told = read(page(file, "nl")).text
    assert not ID.search(told)
    assert (GOAL[:8] in told, told.count("van wie"), "gezet op" in told) == (False, 1, True)


async def test_dutch_says_u_to_a_parent_and_je_to_the_young_person_whose_file_it_is() -> None:
    services = Services(forbidden=("goals.plan",))
    gathered = Gatherer(services.ask, CHILD)
    await gathered.run()
    for reader, wrong, right in ((MUM, {"je", "jij", "jou"}, {"u"}), (CHILD, {"u", "uw"}, {"je", "jij", "jou"})):
        told = page(whole(gathered, "de-eik", CHILD, reader, "2026-11-29T10:00:00+00:00"), "nl")
        said = {
            word.lower()
            for word in re.findall(r"\w+", re.sub(r"<style>.*?</style>|<[^>]*>", " ", told, flags=re.DOTALL))
        }
        assert not said & wrong, reader
        assert right <= said, "control"


async def test_the_package_is_for_its_owner_only_as_a_folder_and_as_a_zip(tmp_path: Path) -> None:
    file = await made(Services())
    write(file, tmp_path / "kim")
    write(file, tmp_path / "kim.zip")
    names = [DATA, "child-file.en.html", "child-file.nl.html"]
    assert sorted(one.name for one in (tmp_path / "kim").iterdir()) == sorted(names)
    assert json.loads((tmp_path / "kim" / DATA).read_text()) == file
    for path in (tmp_path / "kim", tmp_path / "kim.zip", tmp_path / "kim" / DATA):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077
    with zipfile.ZipFile(tmp_path / "kim.zip") as zipped:
        assert sorted(zipped.namelist()) == sorted(names)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["kim", "kim.zip"], "nothing half-written is left"


async def test_names_labels_and_sentences_are_no_tags_either() -> None:
    services = Services()
    gathered = Gatherer(services.ask, CHILD)
    await gathered.run()
    gathered.parts["network"]["child-file"] |= {"given_name": "<b>Kim</b>", "family_name": "<i>V</i>"}
    gathered.parts["audit"]["story-nl"] = [{"sentence": "<u>De leraar</u> keek."}]
    gathered.parts["network"]["child-network"]["<em>key</em>"] = "value"
    for language in ("nl", "en"):
        told = page(whole(gathered, "de-eik", CHILD, MUM, "2026-11-29T10:00:00+00:00"), language)
        assert not any(tag in told for tag in ("<b>", "<i>", "<u>", "<em>"))
        assert "&lt;b&gt;Kim" in told
