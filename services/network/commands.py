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
from services.network.consent_replies import (
    ConsentReply,
    ConsentsReply,
    ConsentTakenReply,
    DecidersReply,
    DisputeNotedReply,
    DisputeReply,
    PoliciesReply,
    PolicyExplanationReply,
    PolicySetReply,
)
from services.network.consents import (
    decide_ask_consent,
    decide_give_consent,
    decide_refuse_consent,
    decide_withdraw_consent,
)
from services.network.dialogue_replies import (
    CompanionReply,
    DialogueReply,
    ExpectationReply,
    ExpectationsReply,
    MyExpectationsReply,
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
from services.network.file_replies import (
    BrokenGlassReply,
    EmergenciesReply,
    EmergencyContactsReply,
    EmergencyReply,
    ErasureReply,
    ErasuresReply,
    HoldReply,
    HoldsReply,
    RetentionDueReply,
    RetentionReply,
    RetentionSetReply,
)
from services.network.filing import CHILD_FILE
from services.network.intake import decide_import, decide_links, decide_preview
from services.network.joining import AddMember, EndMembership, decide_add_member, decide_end_membership
from services.network.member_replies import (
    AuthorityEndedReply,
    AuthorityReply,
    ChildNetworkReply,
    MemberAddedReply,
    MembershipEndedReply,
)
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
from services.network.school_replies import (
    ChildrenReply,
    ContactPointReply,
    OpenedReply,
    OrganisationReply,
    PersonsReply,
    RegrantReply,
    RosterLinksReply,
    RosterReply,
    SchoolReply,
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

REGRANT = Endpoint("regrant", Regrant, "read_waiting", decide_regrant, RegrantReply)

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("open-school", OpenSchool, "read_school", decide_open_school, OpenedReply),
    Endpoint("import-roster", ImportRoster, "read_roster", decide_import, RosterReply),
    Endpoint("preview-roster", PreviewRoster, "read_roster", decide_preview, RosterReply),
    Endpoint("roster-links", RosterLinks, "read_roster_links", decide_links, RosterLinksReply),
    Endpoint("add-organisation", AddOrganisation, "read_school", decide_add_organisation, OrganisationReply),
    Endpoint("add-member", AddMember, "read_joining", decide_add_member, MemberAddedReply),
    Endpoint("end-membership", EndMembership, "read_members", decide_end_membership, MembershipEndedReply),
    Endpoint("record-authority", RecordAuthority, "read_child", decide_record_authority, AuthorityReply),
    Endpoint("end-authority", EndAuthority, "read_child", decide_end_authority, AuthorityEndedReply),
    Endpoint("ask-consent", AskConsent, "read_consent", decide_ask_consent, ConsentReply),
    Endpoint("give-consent", GiveConsent, "read_consent", decide_give_consent, ConsentReply),
    Endpoint("refuse-consent", RefuseConsent, "read_child", decide_refuse_consent, ConsentTakenReply),
    Endpoint("withdraw-consent", WithdrawConsent, "read_child", decide_withdraw_consent, ConsentTakenReply),
    REGRANT,
    Endpoint("voice-expectation", VoiceExpectation, "read_circle", decide_voice_expectation, ExpectationReply),
    Endpoint("make-commitment", MakeCommitment, "read_circle", decide_make_commitment, ExpectationReply),
    Endpoint("answer-expectation", AnswerExpectation, "read_dialogue", decide_answer_expectation, DialogueReply),
    Endpoint("withdraw-expectation", WithdrawExpectation, "read_dialogue", decide_withdraw_expectation, DialogueReply),
    Endpoint("review-commitment", ReviewCommitment, "read_dialogue", decide_review_commitment, DialogueReply),
    Endpoint("remark", Remark, "read_dialogue", decide_remark, DialogueReply),
    Endpoint("invite-companion", InviteCompanion, "read_dialogue_facts", decide_invite_companion, CompanionReply),
    REMIND,
    Endpoint("expectations", Expectations, "read_expectations", decide_expectations, ExpectationsReply),
    Endpoint("my-expectations", MyExpectations, "read_my_expectations", decide_my_expectations, MyExpectationsReply),
    Endpoint("child-network", ChildNetwork, "read_child_names", decide_child_network, ChildNetworkReply),
    Endpoint("children", Children, "read_children", decide_children, ChildrenReply),
    Endpoint("find-person", FindPerson, "read_person", decide_find_person, PersonsReply),
    Endpoint("consents", Consents, "read_child_names", decide_consents, ConsentsReply),
    Endpoint("school", SchoolMembers, "read_school", decide_school, SchoolReply),
    Endpoint("contact-point", ContactPoint, "read_contact", decide_contact_point, ContactPointReply),
    CHILD_FILE,
    *CIRCLE,
    Endpoint("set-policy", SetPolicy, "read_school", decide_set_policy, PolicySetReply),
    Endpoint("note-dispute", NoteDispute, "read_child", decide_note_dispute, DisputeNotedReply),
    Endpoint("settle-dispute", SettleDispute, "read_child", decide_settle_dispute, DisputeReply),
    Endpoint("withhold-information", WithholdInformation, "read_child", decide_withhold_information, WithheldReply),
    Endpoint("restore-information", RestoreInformation, "read_child", decide_restore_information, RestoredReply),
    Endpoint("policies", Policies, "read_school", decide_policies, PoliciesReply),
    Endpoint("deciders", Deciders, "read_deciders", decide_deciders, DecidersReply),
    Endpoint("policy-explanation", PolicyExplanation, "read_child", decide_policy_explanation, PolicyExplanationReply),
    Endpoint("break-glass", BreakGlass, "read_emergency", decide_break_glass, BrokenGlassReply),
    Endpoint("end-emergency", EndEmergency, "read_child", decide_end_emergency, EmergencyReply),
    Endpoint("review-emergency", ReviewEmergency, "read_child", decide_review_emergency, EmergencyReply),
    Endpoint("emergencies", Emergencies, "read_emergencies", decide_emergencies, EmergenciesReply),
    Endpoint(
        "emergency-contacts", EmergencyContacts, "read_child_names", decide_emergency_contacts, EmergencyContactsReply
    ),
    Endpoint("erase-child", EraseChild, "read_erasure", decide_erase_child, ErasureReply),
    Endpoint("decide-erasure", DecideErasure, "read_erasure", decide_decide_erasure, ErasureReply),
    Endpoint("place-hold", PlaceHold, "read_erasure", decide_place_hold, HoldReply),
    Endpoint("lift-hold", LiftHold, "read_erasure", decide_lift_hold, HoldReply),
    Endpoint("holds", Holds, "read_erasure", decide_holds, HoldsReply),
    Endpoint("erasures", Erasures, "read_erasures", decide_erasures, ErasuresReply),
    preview("network"),
    Endpoint("set-retention", SetRetention, "read_retention", decide_set_retention, RetentionSetReply),
    Endpoint("retention", Retention, "read_retention", decide_retention, RetentionReply),
    Endpoint("retention-due", RetentionDue, "read_retention", decide_retention_due, RetentionDueReply),
)
