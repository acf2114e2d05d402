"""Only the new: which rows of a source a connector has delivered before, known by digests of theirs."""

from sendoff.memory.prints import Prints, prints_of
from sendoff.memory.rule import Rule
from sendoff.memory.settle import passed_over, settle
from sendoff.memory.sift import Sift

__all__ = ["Prints", "Rule", "Sift", "passed_over", "prints_of", "settle"]
