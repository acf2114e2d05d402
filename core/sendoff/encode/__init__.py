"""Rows into bytes: the encoder, templates, addresses made of records, idempotency keys."""
