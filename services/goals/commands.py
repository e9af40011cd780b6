"""What people and tools may ask of `goals`: each name with its body, its reader and its decision."""

from __future__ import annotations

from typing import Any

from services.goals import model
from services.goals.agreeing import (
    AcknowledgePlan,
    AgreePlan,
    DisagreePlan,
    TakeRemedy,
    decide_acknowledge,
    decide_agree,
    decide_disagree,
    decide_remedy,
)
from services.goals.calendar_entry import CalendarEntry, decide_calendar_entry
from services.goals.evaluating import (
    EvaluatePlan,
    FinishAction,
    RecordVoice,
    TellChildBack,
    decide_continue,
    decide_evaluate,
    decide_finish,
    decide_tell_back,
    decide_voice,
)
from services.goals.exporting import ExportChild, ExportPlan, decide_export_child, decide_export_plan
from services.goals.guidance import Guidance, WriteGuidance, decide_guidance, decide_write_guidance
from services.goals.holding import HoldConversation, decide_hold_conversation
from services.goals.insight import Insight, decide_insight
from services.goals.life import (
    AssessGoal,
    CompleteGoal,
    EndGoal,
    MoveGoal,
    ProposeGoal,
    decide_assess,
    decide_propose,
    move,
)
from services.goals.measuring import MeasureByHeard, ScoreFromHeard, decide_measure, decide_score_from_heard
from services.goals.outcomes import (
    HeardSummary,
    RecordOutcome,
    SayHeard,
    SettleOutcome,
    decide_heard_summary,
    decide_record_outcome,
    decide_say_heard,
    decide_settle_outcome,
)
from services.goals.page import ChildPage, decide_child_page
from services.goals.plan_queries import (
    Agreements,
    Deadlines,
    OnePlan,
    PlanChanges,
    PlansOfChild,
    decide_agreements,
    decide_changes,
    decide_deadlines,
    decide_plan,
    decide_plans,
)
from services.goals.planning import (
    ClosePlan,
    DraftPlan,
    MovePlan,
    RevisePlan,
    decide_close,
    decide_consult,
    decide_draft,
    decide_enforce,
    decide_revise,
)
from services.goals.queries import GoalsOfChild, OneGoal, decide_goal, decide_goals
from services.goals.reminding import REMIND
from services.goals.revising import GoalHistory, ReviseGoal, decide_goal_history, decide_revise_goal
from services.goals.school_years import SchoolYears, SetSchoolYear, decide_set_year, decide_years
from services.goals.scoring import CorrectScore, ScoreGoal, ScoreGoals, decide_correct, decide_score, decide_score_many
from services.goals.talk_queries import (
    ConversationInvite,
    ConversationsOf,
    OneConversation,
    decide_conversation,
    decide_conversations,
    decide_invite,
)
from services.goals.talking import (
    AddPoint,
    AnswerInvitation,
    CancelConversation,
    MoveConversation,
    PlanConversation,
    decide_add_point,
    decide_answer_invitation,
    decide_cancel_conversation,
    decide_move_conversation,
    decide_plan_conversation,
)
from services.goals.templates import (
    GoalTemplates,
    OneTemplate,
    PublishTemplate,
    decide_publish,
    decide_template,
    decide_templates,
)
from services.goals.uninviting import WithdrawInvitation, decide_withdraw_invitation
from shared.erasure import preview
from shared.unit import Endpoint

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("propose-goal", ProposeGoal, "read_subject", decide_propose),
    Endpoint("accept-goal", MoveGoal, "read_goal_to_move", move(model.ACCEPT)),
    Endpoint("reject-goal", EndGoal, "read_goal_to_move", move(model.REJECT)),
    Endpoint("activate-goal", MoveGoal, "read_goal_to_move", move(model.ACTIVATE)),
    Endpoint("hold-goal", EndGoal, "read_goal_to_move", move(model.HOLD)),
    Endpoint("resume-goal", MoveGoal, "read_goal_to_move", move(model.RESUME)),
    Endpoint("complete-goal", CompleteGoal, "read_goal_to_move", move(model.COMPLETE)),
    Endpoint("cancel-goal", EndGoal, "read_goal_to_move", move(model.CANCEL)),
    Endpoint("mark-goal-in-error", EndGoal, "read_goal_to_move", move(model.MARK_IN_ERROR)),
    Endpoint("assess-goal", AssessGoal, "read_goal_to_move", decide_assess),
    Endpoint("score-goal", ScoreGoal, "read_goal_state", decide_score),
    Endpoint("score-goals", ScoreGoals, "read_goals_to_score", decide_score_many),
    Endpoint("correct-score", CorrectScore, "read_score", decide_correct),
    Endpoint("goals-of-child", GoalsOfChild, "read_goals", decide_goals),
    Endpoint("goal", OneGoal, "read_goal", decide_goal),
    Endpoint("child-page", ChildPage, "read_child_page", decide_child_page),
    Endpoint("revise-goal", ReviseGoal, "read_goal_to_revise", decide_revise_goal),
    Endpoint("goal-history", GoalHistory, "read_goal_history", decide_goal_history),
    Endpoint("publish-template", PublishTemplate, "read_template", decide_publish),
    Endpoint("goal-templates", GoalTemplates, "read_templates", decide_templates),
    Endpoint("goal-template", OneTemplate, "read_template", decide_template),
    preview("goals"),
    Endpoint("draft-plan", DraftPlan, "read_plan_subject", decide_draft),
    Endpoint("revise-plan", RevisePlan, "read_plan_state", decide_revise),
    Endpoint("consult-plan", MovePlan, "read_plan_state", decide_consult),
    Endpoint("agree-plan", AgreePlan, "read_plan_state", decide_agree),
    Endpoint("disagree-plan", DisagreePlan, "read_plan_state", decide_disagree),
    Endpoint("take-remedy", TakeRemedy, "read_plan_state", decide_remedy),
    Endpoint("acknowledge-plan", AcknowledgePlan, "read_plan_state", decide_acknowledge),
    Endpoint("put-plan-in-force", MovePlan, "read_plan_with_clocks", decide_enforce),
    Endpoint("record-voice", RecordVoice, "read_plan_records", decide_voice),
    Endpoint("tell-child-back", TellChildBack, "read_plan_records", decide_tell_back),
    Endpoint("finish-action", FinishAction, "read_plan_with_clocks", decide_finish),
    Endpoint("evaluate-plan", EvaluatePlan, "read_plan_with_clocks", decide_evaluate),
    Endpoint("continue-plan", MovePlan, "read_plan_with_clocks", decide_continue),
    Endpoint("close-plan", ClosePlan, "read_plan_with_clocks", decide_close),
    Endpoint("plans-of-child", PlansOfChild, "read_plans", decide_plans),
    Endpoint("plan", OnePlan, "read_plan_whole", decide_plan),
    Endpoint("plan-changes", PlanChanges, "read_plan_versions", decide_changes),
    Endpoint("deadlines", Deadlines, "read_deadlines", decide_deadlines),
    REMIND,
    Endpoint("set-school-year", SetSchoolYear, "read_calendar", decide_set_year),
    Endpoint("school-years", SchoolYears, "read_calendar", decide_years),
    Endpoint("agreements", Agreements, "read_agreements", decide_agreements),
    Endpoint("plan-conversation", PlanConversation, "read_conversation_subject", decide_plan_conversation),
    Endpoint("move-conversation", MoveConversation, "read_conversation", decide_move_conversation),
    Endpoint("cancel-conversation", CancelConversation, "read_conversation", decide_cancel_conversation),
    Endpoint("withdraw-invitation", WithdrawInvitation, "read_conversation", decide_withdraw_invitation),
    Endpoint("answer-invitation", AnswerInvitation, "read_conversation", decide_answer_invitation),
    Endpoint("add-point", AddPoint, "read_point", decide_add_point),
    Endpoint("hold-conversation", HoldConversation, "read_conversation_to_hold", decide_hold_conversation),
    Endpoint("record-outcome", RecordOutcome, "read_conversation", decide_record_outcome),
    Endpoint("settle-outcome", SettleOutcome, "read_outcome_to_settle", decide_settle_outcome),
    Endpoint("say-heard", SayHeard, "read_conversation", decide_say_heard),
    Endpoint("write-guidance", WriteGuidance, "read_guidance", decide_write_guidance),
    Endpoint("conversations", ConversationsOf, "read_conversations", decide_conversations),
    Endpoint("conversation", OneConversation, "read_conversation", decide_conversation),
    Endpoint("conversation-invite", ConversationInvite, "read_conversation", decide_invite),
    Endpoint("calendar-entry", CalendarEntry, "read_calendar_entry", decide_calendar_entry),
    Endpoint("heard-summary", HeardSummary, "read_heard", decide_heard_summary),
    Endpoint("measure-by-heard", MeasureByHeard, "read_goal_to_measure", decide_measure),
    Endpoint("score-from-heard", ScoreFromHeard, "read_goal_to_measure", decide_score_from_heard),
    Endpoint("guidance", Guidance, "read_guidance", decide_guidance),
    Endpoint("insight", Insight, "read_insight", decide_insight),
    Endpoint("export-child", ExportChild, "read_export", decide_export_child),
    Endpoint("export-plan", ExportPlan, "read_plan_to_export", decide_export_plan),
)
