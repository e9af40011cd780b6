"""A half-year of partnership: the scenes in their order, and the months between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from deploy.demo import (
    scenes_consent,
    scenes_expectations,
    scenes_goals,
    scenes_log,
    scenes_plans,
    scenes_talks,
    scenes_tools,
)
from deploy.demo.cast import Cast, find_cast, open_schools
from deploy.demo.foundation import Foundation
from deploy.demo.oneroster import write_oneroster
from deploy.demo.stage import Stage, Stuck
from deploy.samen.roster_import import How, Report, import_folder

MONTH_DAYS = 30


@dataclass
class Played:
    """What was played, and what the roster's import said each time."""

    cast: Cast
    imports: list[Report]


async def play(stage: Stage, foundation: Foundation, folder: Path, operator: UUID) -> Played:
    """Plays the whole half-year; what went otherwise than it must is in `stage.surprises`."""
    write_oneroster(foundation, folder, stage.today)
    keepers, auditors = await open_schools(stage, foundation, operator)
    imports = [await _import(stage, folder, operator), await _import(stage, folder, operator)]
    if any(school.counts["added"] or school.counts["changed"] for school in imports[1].schools):
        stage.surprises.append("the same roster once more changed something")
    await stage.settle("network")
    cast = await find_cast(stage, foundation, keepers, auditors)

    await scenes_consent.recipients_try_too_early(stage, cast)
    await scenes_consent.consents_are_asked(stage, cast)
    await scenes_goals.goals_are_proposed(stage, cast)
    await scenes_goals.who_has_no_authority_tries(stage, cast)
    await stage.settle("network", "goals")
    await scenes_consent.recipients_look(stage, cast)

    await stage.move_on(MONTH_DAYS)
    await scenes_tools.tools_are_plugged_in(stage, cast)
    await scenes_goals.goals_are_agreed(stage, cast)
    await scenes_plans.plans_are_agreed(stage, cast)
    await scenes_talks.people_are_invited(stage, cast)
    await scenes_consent.a_court_decides(stage, cast)
    await scenes_expectations.expectations_are_voiced(stage, cast)
    await scenes_expectations.former_partners_read(stage, cast)
    await scenes_goals.everyone_reads(stage, cast)

    for month in (2, 3):
        await stage.move_on(month * MONTH_DAYS)
        if month == 2:
            await scenes_tools.tools_fetch(stage, cast)
            await scenes_expectations.commitments_are_looked_back_on(stage, cast)
            await scenes_talks.conversations_are_held(stage, cast)
        else:
            await scenes_plans.plans_are_kept_to(stage, cast)
        await scenes_goals.a_month_of_scores(stage, cast, month)
    await scenes_goals.some_goals_rest(stage, cast)

    await stage.move_on(4 * MONTH_DAYS)
    await scenes_consent.consents_are_withdrawn(stage, cast)
    await scenes_tools.what_a_tool_has_is_withdrawn(stage, cast)
    await scenes_consent.a_teacher_leaves(stage, cast)
    await scenes_goals.a_month_of_scores(stage, cast, 4)

    await stage.move_on(5 * MONTH_DAYS)
    await scenes_goals.a_month_of_scores(stage, cast, 5)
    await scenes_consent.strangers_try(stage, cast)

    await stage.move_on(6 * MONTH_DAYS)
    await scenes_plans.plans_are_evaluated(stage, cast)
    await scenes_goals.goals_are_completed(stage, cast)
    await scenes_goals.everyone_reads(stage, cast)
    await scenes_tools.tools_fetch(stage, cast)
    await stage.settle("network", "goals", "gate", "notifications")
    await scenes_log.the_auditor_asks(stage, cast)
    await scenes_log.parents_ask_who_looked(stage, cast)
    return Played(cast, imports)


async def _import(stage: Stage, folder: Path, operator: UUID) -> Report:
    def tell(text: str) -> None:
        stage.show.scene(f"the roster comes in: {text}")

    report = await import_folder(stage.witness, operator, folder, [], stage.today, How(tell=tell))
    failed = [f"{school.slug}: {school.failed}" for school in report.schools if school.failed]
    if failed:
        raise Stuck(f"the roster could not be taken in: {'; '.join(failed)}")
    stage.surprises += [f"roster: {issue.at} {issue.code}" for issue in report.issues]
    return report
