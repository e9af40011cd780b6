"""Expectations through the real path: a dialogue of two sides, and who reads what of it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.errors import Problem, ProblemType
from shared.events.base import Denied, Viewed
from shared.events.dialogue import (
    CommitmentMade,
    CommitmentReviewed,
    CommitmentWithdrawn,
    CompanionJoined,
    CompanionLeft,
    CompanionProposed,
    ExpectationAnswered,
    ExpectationVoiced,
    ExpectationWithdrawn,
    OutcomesDiffer,
    ProposalWithdrawn,
    Remarked,
)
from shared.events.network import WithdrawalEffective
from shared.unit import Asked, Change
from tests.network.conftest import Network
from tests.network.talks import FOUNDATION_WORDS, Talks, concerned, refused


@pytest.fixture
async def talks(network: Network) -> Talks:
    return await Talks.begin(network)


async def test_what_is_expected_is_answered_in_turns_agreed_and_looked_back_on(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij na een driftbui", "juf", talk_on=talks.day(3))
    countered = await talks.answer("juf", voiced, "proposed", words="ik stuur een bericht om drie uur")
    assert countered["state"] == "open"
    again = await talks.answer("mum", countered, "proposed", words="bericht is goed, bellen als hij weg wil")
    agreed = await talks.answer("juf", again, "accepted", by_on=talks.day(7), review_on=talks.day(30))
    assert agreed["state"] == "agreed"
    first = await talks.say("review-commitment", "mum", agreed, outcome="kept", words="dat hielp")
    assert first["state"] == "agreed"
    closed = await talks.say("review-commitment", "juf", first, outcome="kept")
    assert closed["state"] == "closed"
    (shown,) = await talks.reads("mum")
    assert (shown["words"], shown["why"], shown["talk_on"]) == (
        "bel mij na een driftbui",
        FOUNDATION_WORDS,
        talks.day(3),
    )
    assert [(turn["party"], turn["kind"], turn["words"]) for turn in shown["turns"]] == [
        ("asked", "proposed", "ik stuur een bericht om drie uur"),
        ("asking", "proposed", "bericht is goed, bellen als hij weg wil"),
        ("asked", "accepted", None),
        ("asking", "reviewed", "dat hielp"),
        ("asked", "reviewed", None),
    ]
    (commitment,) = shown["commitments"]
    assert (commitment["proposal"], commitment["carrier"], commitment["state"]) == (2, "asked", "closed")
    assert (commitment["asking"], commitment["asked"]) == ("kept", "kept")
    assert shown["turns"][0]["person_name"] == "Juf de Vries"


async def test_each_step_is_told_to_the_other_side_by_id_only(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij", "juf")
    countered = await talks.answer("juf", voiced, "proposed", words="ik app", by_on=talks.day(2))
    agreed = await talks.answer("mum", countered, "accepted", review_on=talks.day(9))
    one = await talks.say("review-commitment", "juf", agreed, outcome="kept")
    await talks.say("review-commitment", "mum", one, outcome="partly")
    mum, juf = {talks["mum"]}, {talks["juf"]}
    kinds = (ExpectationVoiced, ExpectationAnswered, CommitmentMade, CommitmentReviewed, OutcomesDiffer)
    events = await talks.told(*kinds)
    assert [event.type.split(".", 3)[3] for event in events] == [
        "expectation.voiced.v1",
        "expectation.answered.v1",
        "expectation.answered.v1",
        "commitment.made.v1",
        "commitment.reviewed.v1",
        "commitment.reviewed.v1",
        "outcomes.differed.v1",
    ]
    assert concerned(events) == [juf, mum, juf, set(), mum, set(), juf]
    assert {event.thing for event in events} == {UUID(voiced["dialogues"][0]["dialogue"])}
    made = events[3].fact(CommitmentMade)
    assert (str(made.by_on), str(made.review_on)) == (talks.day(2), talks.day(9))
    raw = b"".join(event.raw for event in await talks.network.events())
    assert not [word for word in (b"bel mij", b"ik app", FOUNDATION_WORDS.encode()) if word in raw]


async def test_nobody_outside_the_two_sides_reads_it_or_hears_that_it_is_there(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij", "juf")
    for who in ("dad", "ib", "smw", "vak"):
        assert await talks.reads(who) == []
        assert await talks.mine(who) == []
        assert (await refused(talks.answer(who, voiced, "accepted", by_on=talks.day(1)))).type is ProblemType.FORBIDDEN
    unknown = {"dialogue": uuid4(), "version": 1}
    theirs = await refused(talks.answer("ib", voiced, "declined", words="nee"))
    nowhere = await refused(talks.answer("ib", unknown, "declined", words="nee"))
    stranger = await refused(talks.answer("opa", voiced, "declined", words="nee"))
    assert theirs.to_json() == nowhere.to_json() == stranger.to_json()
    denied = [event for event in await talks.network.events() if event.is_a(Denied)]
    assert denied[-3].about == talks["kim"]


async def test_guardians_of_one_child_never_read_each_others_words(talks: Talks) -> None:
    voiced = await talks.expect("juf", "lees elke avond voor", "home", open=True)
    by_member = {one["member"]: one for one in voiced["dialogues"]}
    mums, dads = (by_member[str(talks[who])] for who in ("mum", "dad"))
    await talks.answer("mum", mums, "proposed", words="woord van mama", open=True)
    await talks.answer("dad", dads, "declined", words="woord van papa", open=True)
    await talks.expect("mum", "tweede woord van mama", "school", open=True)
    assert {one["dialogue"] for one in await talks.reads("mum")} & {dads["dialogue"]} == set()
    assert await talks.words("mum") == {"lees elke avond voor", "woord van mama", "tweede woord van mama"}
    assert await talks.words("dad") == {"lees elke avond voor", "woord van papa"}
    assert len(await talks.words("juf")) == 4
    assert len(await talks.mine("dad")) == 0
    assert [one["dialogue"] for one in await talks.mine("juf")] != []


@pytest.mark.parametrize("to", [("dad",), ("home",), ("juf", "dad")])
async def test_a_guardian_addresses_no_other_guardian(talks: Talks, to: tuple[str, ...]) -> None:
    problem = await refused(talks.expect("mum", "woord van mama", *to))
    assert problem.type is ProblemType.INVALID
    assert "social worker" in problem.detail
    assert await talks.reads("dad") == []


async def test_a_guardian_is_never_let_in_where_another_speaks(talks: Talks) -> None:
    voiced = await talks.expect("juf", "lees voor", "mum")
    problem = await refused(talks.say("invite-companion", "juf", voiced, member=talks["dad"]))
    assert "guardians" in problem.detail
    between = await talks.expect("juf", "wie belt er", "ib")
    one = await talks.say("invite-companion", "juf", between, member=talks["mum"])
    # A word of one side is enough to keep the other guardian out: both could be let in after it.
    assert (await refused(talks.say("invite-companion", "ib", one, member=talks["dad"]))).type is ProblemType.INVALID


async def test_a_guardian_who_teaches_too_is_read_by_no_other_guardian_as_a_teacher_either(talks: Talks) -> None:
    await talks.network.manage("add-member", subject=talks["kim"], person=talks["dad"], role="teacher")
    voiced = await talks.expect("ib", "wie belt er", "school", open=True)
    assert await talks.words("mum") == {"wie belt er"}
    await talks.answer("dad", voiced, "proposed", words="woord van papa", open=True)
    assert await talks.words("smw") == {"wie belt er", "woord van papa"}
    assert await talks.words("mum") == set()


async def test_what_a_guardian_was_let_into_the_other_does_not_read(talks: Talks) -> None:
    voiced = await talks.expect("ib", "wie belt er", "juf", open=True)
    one = await talks.say("invite-companion", "ib", voiced, member=talks["mum"])
    await talks.say("invite-companion", "juf", one, member=talks["mum"])
    assert (await talks.words("mum"), await talks.words("dad")) == ({"wie belt er"}, set())


async def test_who_was_a_guardian_once_still_reads_nothing_of_the_other(talks: Talks) -> None:
    await talks.expect("mum", "woord van mama", "school", open=True)
    await talks.network.manage("add-member", subject=talks["kim"], person=talks["dad"], role="psychologist")
    shown = await talks.network.manage("child-network", child=talks["kim"], purpose="administration")
    was = next(o for o in shown["members"] if o["person"] == str(talks["dad"]) and o["role"] == "guardian")
    ends = {"subject": talks["kim"], "membership": was["membership"], "version": was["version"]}
    await talks.network.manage("end-membership", **ends)
    assert await talks.words("smw") == {"woord van mama"}
    assert await talks.words("dad") == set()


async def test_the_author_chooses_what_the_whole_network_reads_and_only_of_the_own_words(talks: Talks) -> None:
    voiced = await talks.expect("juf", "iedereen houdt het ritme", "ib", open=True)
    closed = await talks.answer("ib", voiced, "proposed", words="niet op vrijdag")
    await talks.answer("juf", closed, "proposed", words="dan tot donderdag", open=True)
    (shown,) = await talks.reads("smw")
    assert (shown["words"], shown["reads"]) == ("iedereen houdt het ritme", "opened")
    assert [turn["words"] for turn in shown["turns"]] == ["dan tot donderdag"]
    assert not {"state", "turn_of", "commitments", "companions", "version"} & shown.keys()
    assert await talks.words("mum") == {"iedereen houdt het ritme", "dan tot donderdag"}


async def test_the_school_is_a_side_as_long_as_it_has_a_team(talks: Talks) -> None:
    voiced = await talks.expect("mum", "vertel wanneer het misgaat", "school", by_on=talks.day(5))
    assert [one["member"] for one in voiced["dialogues"]] == [None]
    everyone = {talks[who] for who in ("juf", "ib", "smw", "vak")}
    assert concerned(await talks.told(ExpectationVoiced)) == [everyone]
    agreed = await talks.answer("juf", voiced, "accepted")
    shown = await talks.network.manage("child-network", child=talks["kim"], purpose="administration")
    was = next(one for one in shown["members"] if one["person"] == str(talks["juf"]))
    ends = {"subject": talks["kim"], "membership": was["membership"], "version": was["version"]}
    await talks.network.manage("end-membership", **ends)
    await talks.network.manage("add-member", subject=talks["kim"], person=talks["rooster"], role="teacher")
    with pytest.raises(Problem, match="forbidden"):
        await talks.reads("juf")
    (theirs,) = await talks.mine("rooster")
    assert (theirs["carried_by_me"], theirs["state"]) == (True, "agreed")
    told = await talks.say("review-commitment", "rooster", agreed, outcome="kept")
    assert told["state"] == "agreed"


async def test_a_side_that_nobody_speaks_for_any_more_shows(talks: Talks) -> None:
    await talks.expect("mum", "bel mij", "juf")
    assert [one["gone"] for one in await talks.reads("mum")] == [[]]
    shown = await talks.network.manage("child-network", child=talks["kim"], purpose="administration")
    was = next(one for one in shown["members"] if one["person"] == str(talks["juf"]))
    ends = {"subject": talks["kim"], "membership": was["membership"], "version": was["version"]}
    await talks.network.manage("end-membership", **ends)
    assert [one["gone"] for one in await talks.reads("mum")] == [["asked"]]


async def test_of_a_team_those_hear_on_who_spoke(talks: Talks) -> None:
    voiced = await talks.expect("mum", "vertel het", "school")
    countered = await talks.answer("vak", voiced, "proposed", words="elke vrijdag")
    await talks.answer("mum", countered, "proposed", words="liever donderdag")
    assert concerned(await talks.told(ExpectationAnswered)) == [{talks["mum"]}, {talks["vak"]}]


async def test_in_the_name_of_the_school_the_team_goes_on_with_it(talks: Talks) -> None:
    voiced = await talks.expect("juf", "breng hem op tijd", "mum", for_school=True)
    countered = await talks.answer("mum", voiced, "proposed", words="om half negen", by_on=talks.day(3))
    agreed = await talks.answer("ib", countered, "accepted")
    assert agreed["state"] == "agreed"
    assert await talks.reads("dad") == []
    for who, to in (("mum", ("juf",)), ("juf", ("school",))):
        assert (await refused(talks.expect(who, "x", *to, for_school=True))).type is ProblemType.INVALID


async def test_a_care_professional_answers_once_there_is_consent_and_not_after(talks: Talks) -> None:
    assert (await refused(talks.expect("juf", "oefen twee keer", "care"))).type is ProblemType.INVALID
    words = {
        "child": talks["kim"],
        "for_purpose": "care_coordination",
        "recipient": talks["logo"],
        "categories": ["expectations"],
        "notice_version": 1,
    }
    for who in ("mum", "dad"):
        await talks.network.ask("give-consent", talks[who], **words)
    voiced = await talks.expect("juf", "oefen twee keer", "care")
    care = {"purpose": "care_coordination"}
    countered = await talks.answer("logo", voiced, "proposed", words="een keer", **care)
    assert await talks.words("logo", **care) == {"oefen twee keer", "een keer"}
    assert [one["about_name"] for one in await talks.mine("logo", **care)] == [None]
    assert (await refused(talks.expect("logo", "meer rust", "juf", **care))).type is ProblemType.FORBIDDEN
    await talks.network.ask("withdraw-consent", talks["dad"], **words)
    with pytest.raises(Problem, match="forbidden"):
        await talks.reads("logo", **care)
    problem = await refused(talks.say("remark", "logo", countered, words="dag", **care))
    assert problem.type is ProblemType.FORBIDDEN


async def test_whom_both_sides_let_in_reads_all_and_may_speak_until_one_takes_it_back(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij", "juf")
    asked = await talks.say("invite-companion", "mum", voiced, member=talks["smw"])
    assert asked["joined"] is False
    assert await talks.reads("smw") == []
    assert (
        await refused(talks.say("invite-companion", "mum", asked, member=talks["smw"]))
    ).type is ProblemType.CONFLICT
    joined = await talks.say("invite-companion", "juf", asked, member=talks["smw"])
    assert joined["joined"] is True
    assert await talks.words("smw") == {"bel mij"}
    spoke = await talks.say("remark", "smw", joined, words="zullen we donderdag praten?")
    assert "zullen we donderdag praten?" in await talks.words("mum")
    problem = await refused(talks.answer("smw", spoke, "accepted", by_on=talks.day(3)))
    assert "two sides" in problem.detail
    out = await talks.say("invite-companion", "juf", spoke, member=talks["smw"], welcome=False)
    assert out["effective"] == "pending"
    assert await talks.reads("smw") == []
    events = await talks.told(CompanionProposed, CompanionJoined, Remarked, CompanionLeft)
    mum, juf, smw = (talks[who] for who in ("mum", "juf", "smw"))
    assert concerned(events) == [{juf}, {mum, smw}, {mum, juf}, {mum, smw}]
    assert not [event for event in events if event.is_a(WithdrawalEffective)]


async def test_a_reading_under_way_does_not_outlive_the_end_of_company(
    talks: Talks, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The companion's query has read its snapshot; the commit that journals the look finds newer grants."""
    voiced = await talks.expect("mum", "bel mij", "juf")
    one = await talks.say("invite-companion", "mum", voiced, member=talks["smw"])
    joined = await talks.say("invite-companion", "juf", one, member=talks["smw"])
    commit, taken_out = network.unit._commit, asyncio.Event()

    async def late(asked: Asked[Any], change: Change, *rest: Any) -> str:  # noqa: ANN401  passed on
        if change.result is not None and not taken_out.is_set():
            taken_out.set()
            await talks.say("invite-companion", "mum", joined, member=talks["smw"], welcome=False)
        return await commit(asked, change, *rest)

    monkeypatch.setattr(network.unit, "_commit", late)
    assert await talks.words("smw") == set()
    assert taken_out.is_set()


async def test_a_companion_may_leave(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij", "juf")
    one = await talks.say("invite-companion", "mum", voiced, member=talks["smw"])
    joined = await talks.say("invite-companion", "juf", one, member=talks["smw"])
    await talks.say("invite-companion", "smw", joined, member=talks["smw"], welcome=False)
    assert await talks.reads("smw") == []


async def test_either_takes_back_their_own_and_nothing_else(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij", "juf", by_on=talks.day(5))
    assert (await refused(talks.say("withdraw-expectation", "juf", voiced))).type is ProblemType.CONFLICT
    countered = await talks.answer("juf", voiced, "proposed", words="ik app")
    back = await talks.say("withdraw-expectation", "juf", countered, words="toch niet")
    assert back["state"] == "open"
    agreed = await talks.answer("juf", back, "accepted")
    (shown,) = await talks.reads("mum")
    assert (shown["proposal"], shown["commitments"][0]["proposal"]) == (0, 0)
    assert (await refused(talks.say("withdraw-expectation", "juf", agreed))).more["field"] == "words"
    broken = await talks.say("withdraw-expectation", "juf", agreed, words="ik ben er dan niet")
    assert broken["state"] == "declined"
    anew = await talks.answer("juf", broken, "proposed", words="de week erna", by_on=talks.day(12))
    agreed = await talks.answer("mum", anew, "accepted")
    gone = await talks.say("withdraw-expectation", "mum", agreed, words="is opgelost")
    assert gone["state"] == "withdrawn"
    kinds = (ProposalWithdrawn, CommitmentWithdrawn, ExpectationWithdrawn)
    assert concerned(await talks.told(*kinds)) == [{talks["mum"]}, {talks["mum"]}, {talks["juf"]}]
    (shown,) = await talks.reads("juf")
    assert [one["state"] for one in shown["commitments"]] == ["withdrawn", "withdrawn"]
    for what, more in (("remark", {"words": "x"}), ("withdraw-expectation", {})):
        assert (await refused(talks.say(what, "mum", gone, **more))).type is ProblemType.CONFLICT


async def test_a_decline_has_a_reason_and_is_no_dead_end(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij elke dag", "juf")
    assert (await refused(talks.answer("juf", voiced, "declined"))).more["field"] == "words"
    declined = await talks.answer("juf", voiced, "declined", words="dat lukt niet in de klas")
    again = await talks.answer("mum", declined, "proposed", words="een keer per week dan", by_on=talks.day(9))
    assert (await talks.answer("juf", again, "accepted"))["state"] == "agreed"


async def test_who_promises_something_is_held_to_it_by_both(talks: Talks) -> None:
    made = await talks.promise("juf", "ik oefen de jas met Kim", "mum", review_on=talks.day(20))
    (theirs,) = await talks.mine("mum")
    (mine,) = await talks.mine("juf")
    assert (theirs["carried_by_me"], mine["carried_by_me"], mine["review_on"]) == (False, True, talks.day(20))
    assert concerned(await talks.told(CommitmentMade)) == [{talks["mum"]}]
    one = await talks.say("review-commitment", "mum", made, outcome="not")
    await talks.say("review-commitment", "juf", one, outcome="kept")
    (differs,) = await talks.told(OutcomesDiffer)
    assert (differs.fact(OutcomesDiffer).asking, differs.fact(OutcomesDiffer).asked) == ("kept", "not")


async def test_an_answer_to_what_has_changed_is_a_lost_update(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij", "school")
    both = [talks.answer(who, voiced, "proposed", words=f"van {who}") for who in ("juf", "ib")]
    ended = await asyncio.gather(*both, return_exceptions=True)
    problems = [one for one in ended if isinstance(one, Problem)]
    assert [one.type for one in problems] == [ProblemType.STALE_VERSION]
    (shown,) = await talks.reads("mum")
    assert [turn["number"] for turn in shown["turns"]] == [1]


async def test_only_whose_turn_it_is_answers(talks: Talks) -> None:
    voiced = await talks.expect("mum", "bel mij", "juf")
    assert (await refused(talks.answer("mum", voiced, "accepted", by_on=talks.day(1)))).type is ProblemType.CONFLICT
    agreed = await talks.answer("juf", voiced, "accepted", by_on=talks.day(1))
    assert (await refused(talks.answer("juf", agreed, "declined", words="x"))).type is ProblemType.CONFLICT


async def test_days_lie_ahead_and_are_those_of_the_proposal(talks: Talks) -> None:
    for field in ("talk_on", "by_on", "review_on"):
        problem = await refused(talks.expect("mum", "bel mij", "juf", **{field: talks.day(-1)}))
        assert problem.more["field"] == field
    voiced = await talks.expect("mum", "bel mij", "juf", by_on=talks.day(4))
    problem = await refused(talks.answer("juf", voiced, "accepted", by_on=talks.day(5)))
    assert "propose" in problem.detail
    open_ended = await talks.expect("mum", "bel mij", "juf")
    assert (await refused(talks.answer("juf", open_ended, "accepted"))).more["field"] == "by_on"


async def test_my_list_spans_the_children_of_the_school_with_a_line_each(talks: Talks, network: Network) -> None:
    await talks.expect("juf", "lees voor", "mum")
    await talks.expect("juf", "breng gymspullen mee", "mum", about="bo")
    await talks.promise("mum", "ik lees voor", "juf")
    shown = await talks.mine("mum")
    assert [(one["about_name"], one["todo"], one["carried_by_me"]) for one in shown] == [
        ("Kim Jansen", "answer", True),
        ("Bo Jansen", "answer", True),
        ("Kim Jansen", None, True),
    ]
    looks = [event for event in await network.events() if event.is_a(Viewed)]
    assert {(one.about, one.fact(Viewed).things) for one in looks[-2:]} == {(talks["kim"], 2), (talks["bo"], 1)}
    assert await talks.mine("ib") == []
    with pytest.raises(Problem, match="forbidden"):
        await talks.mine("opa")


async def test_lists_go_on_where_they_stopped(talks: Talks) -> None:
    for number in range(52):
        await talks.expect("mum", f"woord {number}", "juf")
    ask, body = talks.network.ask, {"about": talks["kim"], "purpose": "guidance"}
    first = await ask("expectations", talks["juf"], **body)
    rest = await ask("expectations", talks["juf"], **body, after=first["next"])
    shown = [one["words"] for page in (first, rest) for one in page["expectations"]]
    assert shown == [f"woord {number}" for number in range(51, -1, -1)]
    assert rest["next"] is None


async def test_no_page_ends_with_a_dialogue_that_is_walled_off(talks: Talks, network: Network) -> None:
    """Its id tells that the other guardian talks, and when. Dad works at the school too, and reads its talks."""
    await network.manage("add-member", subject=talks["kim"], person=talks["dad"], role="teacher")
    for number in range(3):
        await talks.expect("juf", f"aan ons {number}", "school")
    walled = [(await talks.expect("mum", f"woord {number}", "school"))["dialogues"][0] for number in range(101)]
    closed = [(await talks.expect("juf", f"onder ons {number}", "ib"))["dialogues"][0] for number in range(2)]
    hidden = {one["dialogue"] for one in (*walled, *closed)}
    for name, more in (("expectations", {"about": talks["kim"]}), ("my-expectations", {})):
        after: str | None = None
        pages: list[dict[str, Any]] = []
        while not pages or after:
            page = await network.ask(name, talks["dad"], purpose="guidance", after=after, **more)
            after, pages = page["next"], [*pages, page]
            assert after not in hidden
        assert len([one for page in pages for one in page["expectations"]]) == 3
        assert len(pages) == 1, "an empty page that goes on tells of others' talks too"


async def test_the_schools_own_approach_has_its_dialogues(talks: Talks, network: Network) -> None:
    for person in ("mum", "dad"):
        await network.manage("add-member", subject=network.subject, person=talks[person], role="expert_team_member")
    talks.ids["approach"] = network.subject
    voiced = await talks.expect("mum", "een warm welkom bij de poort", "school", "dad", about="approach")
    assert len(voiced["dialogues"]) == 2
    assert await talks.words("juf", about="approach") == {"een warm welkom bij de poort"}
