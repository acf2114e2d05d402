"""Only the new: which rows of a source a connector has delivered before, known by digests of theirs."""

from sendoff.incremental.filter import Sift
from sendoff.incremental.fingerprints import Prints, prints_of
from sendoff.incremental.remember import passed_over, settle
from sendoff.incremental.rule import Rule

__all__ = ["Prints", "Rule", "Sift", "passed_over", "prints_of", "settle"]
