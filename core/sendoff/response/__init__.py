"""What an answer means: the table, conditions and per-record results that a destination's owner may declare."""

from sendoff.response.classifier import judge, plain
from sendoff.response.outcome import Kind, Verdict
from sendoff.response.policy import DEFAULT, GONE, RULES, Policy, statuses

__all__ = ["DEFAULT", "GONE", "RULES", "Kind", "Policy", "Verdict", "judge", "plain", "statuses"]
