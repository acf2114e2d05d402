"""The shapes that flow: pages of records in, blocks of bytes out, and spans to name them.

After validation and encoding a page's good rows are a `Block`, from which every request body is cut by arithmetic.
"""

from sendoff.records.block import Block, Route, Span, Spans, count_repeats, halves, ordinals, spans_of, total, within
from sendoff.records.page import (
    PAGE_BYTES,
    PAGE_ROWS,
    Lines,
    Page,
    column,
    from_mappings,
    location,
    pages,
    pages_of_mappings,
    pages_or_lines,
)

__all__ = [
    "PAGE_BYTES", "PAGE_ROWS", "Block", "Lines", "Page", "Route", "Span", "Spans", "column", "count_repeats", "from_mappings",
    "halves", "location", "ordinals", "pages", "pages_of_mappings", "pages_or_lines", "spans_of", "total", "within",
]  # fmt: skip
