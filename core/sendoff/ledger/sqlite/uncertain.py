"""Requests of a run that the API may have applied, and whose records are pending."""

from __future__ import annotations

import sqlite3

from sendoff.ledger.ranges import Ranges
from sendoff.ledger.state import UncertainRequest

#: Requests in pieces that are open still, with attempts that may have been applied and no rejection as the last one; with
#: the reason of the last that may have been. A piece of single records is many requests, any other piece is one.
_UNCERTAIN = """
SELECT lo, hi, records, sends, reason FROM (
  SELECT r.lo, r.hi, r.records, count(*) AS sends, r.reason, max(r.number * r.maybe_applied) FROM request r
  JOIN piece p ON p.run = r.run AND (p.lo = r.lo AND p.hi = r.hi OR p.step = 1 AND p.lo <= r.lo AND r.hi <= p.hi)
  WHERE r.run = ? AND 'rejected' != (
    SELECT verdict FROM request l WHERE (l.run, l.lo, l.hi) = (r.run, r.lo, r.hi) ORDER BY number DESC LIMIT 1)
  GROUP BY r.lo, r.hi HAVING sum(r.maybe_applied)) ORDER BY lo
"""


def find_uncertain(db: sqlite3.Connection, run: int, delivered: Ranges, failed: Ranges) -> list[UncertainRequest]:
    """The uncertain requests of a run that have records which are neither delivered nor failed."""
    found = (UncertainRequest(*row) for row in db.execute(_UNCERTAIN, (run,)))
    return [
        request
        for request in found
        if any(left for gap in delivered.gaps(request.lo, request.hi) for left in failed.gaps(*gap))
    ]
