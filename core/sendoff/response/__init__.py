"""What a response means: the table, conditions and per-record results that a destination's owner may declare."""

from sendoff.response.classifier import UnreadFailure, classify, is_plain_success, unread_failure
from sendoff.response.condition import condition_problem, statuses
from sendoff.response.outcome import Verdict, VerdictKind
from sendoff.response.policy import DEFAULT, DELETE_POLICY, RESULT_COLUMNS, RULES, Policy

__all__ = [
    "DEFAULT",
    "DELETE_POLICY",
    "RESULT_COLUMNS",
    "RULES",
    "Policy",
    "UnreadFailure",
    "Verdict",
    "VerdictKind",
    "classify",
    "condition_problem",
    "is_plain_success",
    "statuses",
    "unread_failure",
]
