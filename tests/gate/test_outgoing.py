"""Which events go out to tools: what a tool needs to keep right what it was told before."""

from __future__ import annotations

from services.gate.outgoing import FACTS
from shared.events import conversations
from shared.events.words import Category


def test_a_tool_that_keeps_a_calendar_is_told_whenever_an_entry_changes() -> None:
    changing = {fact for fact in conversations.FACTS if "sequence" in fact.model_fields}
    assert conversations.InvitationWithdrawn in changing
    assert {FACTS[fact].category for fact in changing if fact in FACTS} == {Category.CONVERSATIONS}
    assert changing <= set(FACTS)


def test_what_is_only_suggested_to_people_stays_here() -> None:
    assert not {conversations.ConversationSuggested, conversations.SuggestionSettled} & set(FACTS)
