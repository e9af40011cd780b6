"""The endpoints about how people come into a network, take part and go, and what they hold of it."""

from __future__ import annotations

from typing import Any

from services.network.confidential import SetConfidential, decide_set_confidential
from services.network.consent_replies import ConsentReceiptReply, NoticePublishedReply
from services.network.invitations import (
    Invitations,
    InviteMember,
    RevokeInvitation,
    decide_invitations,
    decide_invite_member,
    decide_revoke_invitation,
)
from services.network.lifecycle import (
    EndPlacement,
    LeaveNetwork,
    ReplaceMember,
    ResumeMembership,
    SuspendMembership,
    decide_end_placement,
    decide_leave_network,
    decide_replace_member,
    decide_resume_membership,
    decide_suspend_membership,
)
from services.network.mandates import RenewMandate, decide_renew_mandate
from services.network.member_replies import (
    EcogramReply,
    InvitationForReply,
    InvitationRevokedReply,
    InvitationsReply,
    InvitedReply,
    MandateReply,
    MemberAddedReply,
    MembershipReply,
    MembershipTakenReply,
    PlacementEndedReply,
    ReplacedReply,
    TieReply,
)
from services.network.receipts import ConsentReceipt, PublishNotice, decide_consent_receipt, decide_publish_notice
from services.network.school_replies import PersonReply
from services.network.taking import Invitation, TakeInvitation, Tries, decide_invitation, decide_take_invitation
from services.network.ties import Ecogram, StateTie, decide_ecogram, decide_state_tie
from shared.unit import Endpoint

TRIES = Tries()

CIRCLE: tuple[Endpoint[Any], ...] = (
    Endpoint("invite-member", InviteMember, "read_members", decide_invite_member, InvitedReply),
    Endpoint(
        "revoke-invitation", RevokeInvitation, "read_invitations", decide_revoke_invitation, InvitationRevokedReply
    ),
    Endpoint(
        "take-invitation", TakeInvitation, "read_invitation", TRIES.limit(decide_take_invitation), MemberAddedReply
    ),
    Endpoint("invitation", Invitation, "read_invitation", TRIES.limit(decide_invitation), InvitationForReply),
    Endpoint("invitations", Invitations, "read_invitations", decide_invitations, InvitationsReply),
    Endpoint("leave-network", LeaveNetwork, "read_members", decide_leave_network, MembershipTakenReply),
    Endpoint("suspend-membership", SuspendMembership, "read_members", decide_suspend_membership, MembershipTakenReply),
    Endpoint("resume-membership", ResumeMembership, "read_members", decide_resume_membership, MembershipReply),
    Endpoint("replace-member", ReplaceMember, "read_joining", decide_replace_member, ReplacedReply),
    Endpoint("renew-mandate", RenewMandate, "read_members", decide_renew_mandate, MandateReply),
    Endpoint("end-placement", EndPlacement, "read_invitations", decide_end_placement, PlacementEndedReply),
    Endpoint("state-tie", StateTie, "read_ties", decide_state_tie, TieReply),
    Endpoint("ecogram", Ecogram, "read_ties", decide_ecogram, EcogramReply),
    Endpoint("set-confidential", SetConfidential, "read_own_contact", decide_set_confidential, PersonReply),
    Endpoint("publish-notice", PublishNotice, "read_notice", decide_publish_notice, NoticePublishedReply),
    Endpoint("consent-receipt", ConsentReceipt, "read_receipt", decide_consent_receipt, ConsentReceiptReply),
)
