"""Everything that people, tools and services may ask of network."""

from __future__ import annotations

from typing import Any

from services.network.answering import (
    AnswerExpectation,
    Remark,
    ReviewCommitment,
    WithdrawExpectation,
    decide_answer_expectation,
    decide_remark,
    decide_review_commitment,
    decide_withdraw_expectation,
)
from services.network.asking import AskConsent, GiveConsent, RefuseConsent, WithdrawConsent
from services.network.authority import EndAuthority, RecordAuthority, decide_end_authority, decide_record_authority
from services.network.circle import CIRCLE
from services.network.companions import InviteCompanion, decide_invite_companion
from services.network.consents import (
    decide_ask_consent,
    decide_give_consent,
    decide_refuse_consent,
    decide_withdraw_consent,
)
from services.network.emergencies import Emergencies, EmergencyContacts, decide_emergencies, decide_emergency_contacts
from services.network.emergency import (
    BreakGlass,
    EndEmergency,
    ReviewEmergency,
    decide_break_glass,
    decide_end_emergency,
    decide_review_emergency,
)
from services.network.erasing import (
    DecideErasure,
    EraseChild,
    Erasures,
    Holds,
    LiftHold,
    PlaceHold,
    decide_decide_erasure,
    decide_erase_child,
    decide_erasures,
    decide_holds,
    decide_lift_hold,
    decide_place_hold,
)
from services.network.expectations import Expectations, MyExpectations, decide_expectations, decide_my_expectations
from services.network.expecting import (
    MakeCommitment,
    VoiceExpectation,
    decide_make_commitment,
    decide_voice_expectation,
)
from services.network.explaining import PolicyExplanation, decide_policy_explanation
from services.network.filing import CHILD_FILE
from services.network.intake import decide_import, decide_links, decide_preview
from services.network.joining import AddMember, EndMembership, decide_add_member, decide_end_membership
from services.network.policies import (
    Deciders,
    NoteDispute,
    Policies,
    SetPolicy,
    SettleDispute,
    decide_deciders,
    decide_note_dispute,
    decide_policies,
    decide_set_policy,
    decide_settle_dispute,
)
from services.network.queries import (
    ChildNetwork,
    Children,
    Consents,
    ContactPoint,
    FindPerson,
    SchoolMembers,
    decide_child_network,
    decide_children,
    decide_consents,
    decide_contact_point,
    decide_find_person,
    decide_school,
)
from services.network.retention import (
    Retention,
    RetentionDue,
    SetRetention,
    decide_retention,
    decide_retention_due,
    decide_set_retention,
)
from services.network.reviews import REMIND
from services.network.roster import ImportRoster, PreviewRoster, RosterLinks
from services.network.school import (
    AddOrganisation,
    OpenSchool,
    Regrant,
    decide_add_organisation,
    decide_open_school,
    decide_regrant,
)
from services.network.withholding import (
    RestoredReply,
    RestoreInformation,
    WithheldReply,
    WithholdInformation,
    decide_restore_information,
    decide_withhold_information,
)
from shared.erasure import preview
from shared.unit import Endpoint

REGRANT = Endpoint("regrant", Regrant, "read_waiting", decide_regrant)

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("open-school", OpenSchool, "read_school", decide_open_school),
    Endpoint("import-roster", ImportRoster, "read_roster", decide_import),
    Endpoint("preview-roster", PreviewRoster, "read_roster", decide_preview),
    Endpoint("roster-links", RosterLinks, "read_roster_links", decide_links),
    Endpoint("add-organisation", AddOrganisation, "read_school", decide_add_organisation),
    Endpoint("add-member", AddMember, "read_joining", decide_add_member),
    Endpoint("end-membership", EndMembership, "read_members", decide_end_membership),
    Endpoint("record-authority", RecordAuthority, "read_child", decide_record_authority),
    Endpoint("end-authority", EndAuthority, "read_child", decide_end_authority),
    Endpoint("ask-consent", AskConsent, "read_consent", decide_ask_consent),
    Endpoint("give-consent", GiveConsent, "read_consent", decide_give_consent),
    Endpoint("refuse-consent", RefuseConsent, "read_child", decide_refuse_consent),
    Endpoint("withdraw-consent", WithdrawConsent, "read_child", decide_withdraw_consent),
    REGRANT,
    Endpoint("voice-expectation", VoiceExpectation, "read_circle", decide_voice_expectation),
    Endpoint("make-commitment", MakeCommitment, "read_circle", decide_make_commitment),
    Endpoint("answer-expectation", AnswerExpectation, "read_dialogue", decide_answer_expectation),
    Endpoint("withdraw-expectation", WithdrawExpectation, "read_dialogue", decide_withdraw_expectation),
    Endpoint("review-commitment", ReviewCommitment, "read_dialogue", decide_review_commitment),
    Endpoint("remark", Remark, "read_dialogue", decide_remark),
    Endpoint("invite-companion", InviteCompanion, "read_dialogue_facts", decide_invite_companion),
    REMIND,
    Endpoint("expectations", Expectations, "read_expectations", decide_expectations),
    Endpoint("my-expectations", MyExpectations, "read_my_expectations", decide_my_expectations),
    Endpoint("child-network", ChildNetwork, "read_child_names", decide_child_network),
    Endpoint("children", Children, "read_children", decide_children),
    Endpoint("find-person", FindPerson, "read_person", decide_find_person),
    Endpoint("consents", Consents, "read_child_names", decide_consents),
    Endpoint("school", SchoolMembers, "read_school", decide_school),
    Endpoint("contact-point", ContactPoint, "read_contact", decide_contact_point),
    CHILD_FILE,
    *CIRCLE,
    Endpoint("set-policy", SetPolicy, "read_school", decide_set_policy),
    Endpoint("note-dispute", NoteDispute, "read_child", decide_note_dispute),
    Endpoint("settle-dispute", SettleDispute, "read_child", decide_settle_dispute),
    Endpoint("withhold-information", WithholdInformation, "read_child", decide_withhold_information, WithheldReply),
    Endpoint("restore-information", RestoreInformation, "read_child", decide_restore_information, RestoredReply),
    Endpoint("policies", Policies, "read_school", decide_policies),
    Endpoint("deciders", Deciders, "read_deciders", decide_deciders),
    Endpoint("policy-explanation", PolicyExplanation, "read_child", decide_policy_explanation),
    Endpoint("break-glass", BreakGlass, "read_emergency", decide_break_glass),
    Endpoint("end-emergency", EndEmergency, "read_child", decide_end_emergency),
    Endpoint("review-emergency", ReviewEmergency, "read_child", decide_review_emergency),
    Endpoint("emergencies", Emergencies, "read_emergencies", decide_emergencies),
    Endpoint("emergency-contacts", EmergencyContacts, "read_child_names", decide_emergency_contacts),
    Endpoint("erase-child", EraseChild, "read_erasure", decide_erase_child),
    Endpoint("decide-erasure", DecideErasure, "read_erasure", decide_decide_erasure),
    Endpoint("place-hold", PlaceHold, "read_erasure", decide_place_hold),
    Endpoint("lift-hold", LiftHold, "read_erasure", decide_lift_hold),
    Endpoint("holds", Holds, "read_erasure", decide_holds),
    Endpoint("erasures", Erasures, "read_erasures", decide_erasures),
    preview("network"),
    Endpoint("set-retention", SetRetention, "read_retention", decide_set_retention),
    Endpoint("retention", Retention, "read_retention", decide_retention),
    Endpoint("retention-due", RetentionDue, "read_retention", decide_retention_due),
)
