"""Incremental delivery: which rows of a source are new, changed or removed, by digests of delivered rows."""

from sendoff.incremental.filter import NewRowFilter
from sendoff.incremental.fingerprints import RowFingerprints, fingerprint_rows
from sendoff.incremental.remember import as_delivered, as_undelivered, remember_delivered
from sendoff.incremental.rule import IncrementalRule

__all__ = [
    "IncrementalRule",
    "NewRowFilter",
    "RowFingerprints",
    "as_delivered",
    "as_undelivered",
    "fingerprint_rows",
    "remember_delivered",
]
