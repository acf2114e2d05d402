"""What an answer means: the table, conditions and per-record results that a destination's owner may declare."""

from sendoff.answers.judge import judge, plain
from sendoff.answers.policy import DEFAULT, GONE, RULES, Policy, statuses
from sendoff.answers.verdicts import Kind, Verdict

__all__ = ["DEFAULT", "GONE", "RULES", "Kind", "Policy", "Verdict", "judge", "plain", "statuses"]
