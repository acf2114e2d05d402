"""What a response means: the table, conditions and per-record results that a destination's owner may declare."""

from sendoff.response.classifier import classify, is_plain_success
from sendoff.response.outcome import Verdict, VerdictKind
from sendoff.response.policy import DEFAULT, DELETE_POLICY, RULES, Policy, statuses

__all__ = ["DEFAULT", "DELETE_POLICY", "RULES", "Policy", "Verdict", "VerdictKind", "classify", "is_plain_success", "statuses"]
