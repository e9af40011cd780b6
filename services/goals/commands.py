"""What people and tools may ask of `goals`: each name with its body, its reader and its decision."""

from __future__ import annotations

from typing import Any

from services.goals import goal_replies, model, plan_replies, talk_replies
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
from services.goals.recording import RecordConversation, decide_record_conversation
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
    Endpoint("propose-goal", ProposeGoal, "read_subject", decide_propose, goal_replies.GoalReply),
    Endpoint("accept-goal", MoveGoal, "read_goal_to_move", move(model.ACCEPT), goal_replies.GoalReply),
    Endpoint("reject-goal", EndGoal, "read_goal_to_move", move(model.REJECT), goal_replies.GoalReply),
    Endpoint("activate-goal", MoveGoal, "read_goal_to_move", move(model.ACTIVATE), goal_replies.GoalReply),
    Endpoint("hold-goal", EndGoal, "read_goal_to_move", move(model.HOLD), goal_replies.GoalReply),
    Endpoint("resume-goal", MoveGoal, "read_goal_to_move", move(model.RESUME), goal_replies.GoalReply),
    Endpoint("complete-goal", CompleteGoal, "read_goal_to_move", move(model.COMPLETE), goal_replies.GoalReply),
    Endpoint("cancel-goal", EndGoal, "read_goal_to_move", move(model.CANCEL), goal_replies.GoalReply),
    Endpoint("mark-goal-in-error", EndGoal, "read_goal_to_move", move(model.MARK_IN_ERROR), goal_replies.GoalReply),
    Endpoint("assess-goal", AssessGoal, "read_goal_to_move", decide_assess, goal_replies.GoalReply),
    Endpoint("score-goal", ScoreGoal, "read_goal_state", decide_score, goal_replies.ScoresReply),
    Endpoint("score-goals", ScoreGoals, "read_goals_to_score", decide_score_many, goal_replies.ScoresReply),
    Endpoint("correct-score", CorrectScore, "read_score", decide_correct, goal_replies.ScoresReply),
    Endpoint("goals-of-child", GoalsOfChild, "read_goals", decide_goals, goal_replies.GoalsReply),
    Endpoint("goal", OneGoal, "read_goal", decide_goal, goal_replies.OneGoalReply),
    Endpoint("child-page", ChildPage, "read_child_page", decide_child_page, goal_replies.ChildPageReply),
    Endpoint("revise-goal", ReviseGoal, "read_goal_to_revise", decide_revise_goal, goal_replies.GoalReply),
    Endpoint("goal-history", GoalHistory, "read_goal_history", decide_goal_history, goal_replies.GoalHistoryReply),
    Endpoint("publish-template", PublishTemplate, "read_template", decide_publish, goal_replies.TemplateReply),
    Endpoint("goal-templates", GoalTemplates, "read_templates", decide_templates, goal_replies.TemplatesReply),
    Endpoint("goal-template", OneTemplate, "read_template", decide_template, goal_replies.OneTemplateReply),
    preview("goals"),
    Endpoint("draft-plan", DraftPlan, "read_plan_subject", decide_draft, plan_replies.PlanReply),
    Endpoint("revise-plan", RevisePlan, "read_plan_state", decide_revise, plan_replies.PlanReply),
    Endpoint("consult-plan", MovePlan, "read_plan_state", decide_consult, plan_replies.PlanReply),
    Endpoint("agree-plan", AgreePlan, "read_plan_state", decide_agree, plan_replies.PlanReply),
    Endpoint("disagree-plan", DisagreePlan, "read_plan_state", decide_disagree, plan_replies.DisagreementReply),
    Endpoint("take-remedy", TakeRemedy, "read_plan_state", decide_remedy, plan_replies.DisagreementReply),
    Endpoint("acknowledge-plan", AcknowledgePlan, "read_plan_state", decide_acknowledge, plan_replies.PlanReply),
    Endpoint("put-plan-in-force", MovePlan, "read_plan_with_clocks", decide_enforce, plan_replies.PlanReply),
    Endpoint("record-voice", RecordVoice, "read_plan_records", decide_voice, plan_replies.VoiceReply),
    Endpoint("tell-child-back", TellChildBack, "read_plan_records", decide_tell_back, plan_replies.VoiceReply),
    Endpoint("finish-action", FinishAction, "read_plan_with_clocks", decide_finish, plan_replies.ActionReply),
    Endpoint("evaluate-plan", EvaluatePlan, "read_plan_with_clocks", decide_evaluate, plan_replies.EvaluationReply),
    Endpoint("continue-plan", MovePlan, "read_plan_with_clocks", decide_continue, plan_replies.PlanReply),
    Endpoint("close-plan", ClosePlan, "read_plan_with_clocks", decide_close, plan_replies.PlanReply),
    Endpoint("plans-of-child", PlansOfChild, "read_plans", decide_plans, plan_replies.PlansReply),
    Endpoint("plan", OnePlan, "read_plan_whole", decide_plan, plan_replies.OnePlanReply),
    Endpoint("plan-changes", PlanChanges, "read_plan_versions", decide_changes, plan_replies.PlanChangesReply),
    Endpoint("deadlines", Deadlines, "read_deadlines", decide_deadlines, plan_replies.DeadlinesReply),
    REMIND,
    Endpoint("set-school-year", SetSchoolYear, "read_calendar", decide_set_year, plan_replies.SchoolYearReply),
    Endpoint("school-years", SchoolYears, "read_calendar", decide_years, plan_replies.SchoolYearsReply),
    Endpoint("agreements", Agreements, "read_agreements", decide_agreements, plan_replies.AgreementsReply),
    Endpoint(
        "plan-conversation",
        PlanConversation,
        "read_conversation_subject",
        decide_plan_conversation,
        talk_replies.TalkPlannedReply,
    ),
    Endpoint(
        "move-conversation",
        MoveConversation,
        "read_conversation",
        decide_move_conversation,
        talk_replies.TalkMovedReply,
    ),
    Endpoint(
        "cancel-conversation",
        CancelConversation,
        "read_conversation",
        decide_cancel_conversation,
        talk_replies.TalkMovedReply,
    ),
    Endpoint(
        "withdraw-invitation",
        WithdrawInvitation,
        "read_conversation",
        decide_withdraw_invitation,
        talk_replies.TalkMovedReply,
    ),
    Endpoint(
        "answer-invitation",
        AnswerInvitation,
        "read_conversation",
        decide_answer_invitation,
        talk_replies.InvitationReply,
    ),
    Endpoint("add-point", AddPoint, "read_point", decide_add_point, talk_replies.PointReply),
    Endpoint(
        "record-conversation",
        RecordConversation,
        "read_conversation_to_record",
        decide_record_conversation,
        talk_replies.TalkPlannedReply,
    ),
    Endpoint(
        "hold-conversation",
        HoldConversation,
        "read_conversation_to_hold",
        decide_hold_conversation,
        talk_replies.TalkMovedReply,
    ),
    Endpoint("record-outcome", RecordOutcome, "read_conversation", decide_record_outcome, talk_replies.OutcomeReply),
    Endpoint(
        "settle-outcome",
        SettleOutcome,
        "read_outcome_to_settle",
        decide_settle_outcome,
        talk_replies.OutcomeSettledReply,
    ),
    Endpoint("say-heard", SayHeard, "read_conversation", decide_say_heard, talk_replies.TalkReply),
    Endpoint("write-guidance", WriteGuidance, "read_guidance", decide_write_guidance, talk_replies.GuidanceReply),
    Endpoint("conversations", ConversationsOf, "read_conversations", decide_conversations, talk_replies.TalksReply),
    Endpoint("conversation", OneConversation, "read_conversation", decide_conversation, talk_replies.OneTalkReply),
    Endpoint("conversation-invite", ConversationInvite, "read_conversation", decide_invite, talk_replies.InviteReply),
    Endpoint(
        "calendar-entry", CalendarEntry, "read_calendar_entry", decide_calendar_entry, talk_replies.CalendarEntryReply
    ),
    Endpoint("heard-summary", HeardSummary, "read_heard", decide_heard_summary, talk_replies.HeardReply),
    Endpoint("measure-by-heard", MeasureByHeard, "read_goal_to_measure", decide_measure, goal_replies.MeasureReply),
    Endpoint(
        "score-from-heard", ScoreFromHeard, "read_goal_to_measure", decide_score_from_heard, goal_replies.ScoresReply
    ),
    Endpoint("guidance", Guidance, "read_guidance", decide_guidance, talk_replies.GuidancesReply),
    Endpoint("insight", Insight, "read_insight", decide_insight, talk_replies.InsightReply),
    Endpoint("export-child", ExportChild, "read_export", decide_export_child, plan_replies.ExportChildReply),
    Endpoint("export-plan", ExportPlan, "read_plan_to_export", decide_export_plan, plan_replies.ExportPlanReply),
)
