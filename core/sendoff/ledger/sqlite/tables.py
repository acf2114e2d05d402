"""The ledger's tables. Their names are made to be read: any SQLite viewer shows the history."""

VERSION = 11

_RUNS = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE run(
  id INTEGER PRIMARY KEY,
  connector TEXT NOT NULL,
  generation INTEGER NOT NULL,          -- the connector's how-manieth delivery this is
  state TEXT NOT NULL,                  -- running, complete, incomplete, stopped, interrupted, discarded
  stopped_because TEXT,
  retry_of INTEGER REFERENCES run(id),
  source TEXT NOT NULL,                 -- connector, spool, or retry
  fingerprint BLOB,                     -- of the source, to know it again
  shape BLOB NOT NULL,                  -- of what decides the records and their bytes
  planned INTEGER NOT NULL DEFAULT 0,   -- ordinals below this are planned
  read INTEGER NOT NULL DEFAULT 0,      -- source rows read
  requests INTEGER NOT NULL DEFAULT 0,
  retries INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  starts INTEGER NOT NULL DEFAULT 1,    -- 1, and one more each time it was resumed
  started_at REAL NOT NULL,
  ended_at REAL,
  seconds REAL NOT NULL DEFAULT 0,
  cursor TEXT,                          -- how far this run's source was read, as JSON; the next run goes on there
  rule TEXT,                            -- what incremental knows rows by, where it chose this run's rows
  known INTEGER NOT NULL DEFAULT 0,     -- rows that incremental left out, as they were known
  settled INTEGER NOT NULL DEFAULT 1,   -- 0: what it delivers is not remembered yet
  key_name TEXT,                        -- the name in its idempotency keys, where its connector was renamed since
  UNIQUE(connector, generation));

-- Planned and not settled. A piece may still be sent; what is in no piece never will be again.
CREATE TABLE piece(
  run INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, step INTEGER NOT NULL, digest BLOB NOT NULL,
  apart TEXT,                           -- its records' spans as JSON, where they do not stand side by side
  PRIMARY KEY(run, lo)) WITHOUT ROWID;

-- Delivered, merged with its neighbours as it grows.
CREATE TABLE delivered(
  run INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
  PRIMARY KEY(run, lo)) WITHOUT ROWID;

-- One row a record that was not delivered.
CREATE TABLE failed(
  run INTEGER NOT NULL, kind TEXT NOT NULL, position INTEGER NOT NULL,
  file TEXT NOT NULL, line INTEGER NOT NULL, status INTEGER, reason TEXT NOT NULL, record TEXT NOT NULL,
  attempts INTEGER NOT NULL, maybe_applied INTEGER NOT NULL, text INTEGER NOT NULL, retried_by INTEGER, at REAL NOT NULL,
  change TEXT NOT NULL DEFAULT '',      -- changed or removed, where incremental says so
  retried_as INTEGER,                   -- its row, from 0, in the run that retries it; NULL: delivered in the meantime
  PRIMARY KEY(run, kind, position)) WITHOUT ROWID;
"""

_REQUESTS = """
-- The first 10,000 requests of a run, and after that those that did not simply deliver.
CREATE TABLE request(
  run INTEGER NOT NULL, number INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, records INTEGER NOT NULL,
  attempt INTEGER NOT NULL, method TEXT NOT NULL, url TEXT NOT NULL, key TEXT NOT NULL, bytes INTEGER NOT NULL,
  status INTEGER, verdict TEXT NOT NULL, reason TEXT NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL,
  PRIMARY KEY(run, number)) WITHOUT ROWID;
-- What was captured of answers, as JSON, for the records [lo, hi).
CREATE TABLE result(
  run INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL,
  captured TEXT NOT NULL,
  PRIMARY KEY(run, lo)) WITHOUT ROWID;
-- Destinations that are down, or want to be left alone until a time.
CREATE TABLE destination(
  origin TEXT PRIMARY KEY, down_since REAL, rest_until REAL) WITHOUT ROWID;
"""

_MEMORY = """
-- A connector's memory of rows, and what they are known by, as JSON.
CREATE TABLE memory(
  id INTEGER PRIMARY KEY, connector TEXT NOT NULL UNIQUE, key TEXT NOT NULL, columns TEXT NOT NULL, since REAL NOT NULL);
-- Rows that were delivered: a digest of the key, one of the row (of 8 bytes by versions before 10, then of 16), and the
-- key itself where it may be needed.
CREATE TABLE remembered(
  memory INTEGER NOT NULL, key BLOB NOT NULL, state BLOB NOT NULL, held TEXT,
  PRIMARY KEY(memory, key)) WITHOUT ROWID;
-- Up to when a connector's schedule is obeyed.
CREATE TABLE schedule(
  connector TEXT PRIMARY KEY, due REAL NOT NULL) WITHOUT ROWID;
-- Since when a connector's runs fail, as it was told; and when its last digest was told.
CREATE TABLE told(
  connector TEXT PRIMARY KEY, failing_since REAL, digest_at REAL) WITHOUT ROWID;
"""

# Whether the API may have applied a request, though its response does not say so.
_MAYBE_APPLIED = "ALTER TABLE request ADD COLUMN maybe_applied INTEGER NOT NULL DEFAULT 0;\n"

# What was sent to a destination in the windows of its rates, as JSON: by the window, when and how much.
_SENT = """
CREATE TABLE rate_usage(
  origin TEXT PRIMARY KEY, sent TEXT NOT NULL) WITHOUT ROWID;
"""

# Of what was delivered, how many records the API has only accepted.
_ACCEPTED = "ALTER TABLE run ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;\n"

# How far the source was read, where it is known again by that; and what differs if it is another one for sure.
_MARKS = """
ALTER TABLE run ADD COLUMN mark TEXT;
ALTER TABLE run ADD COLUMN mark_digest BLOB;
ALTER TABLE run ADD COLUMN quick_fingerprint BLOB;
"""

# The digests of remembered rows once more, of 16 bytes, sorted: those from `first` up to the next block's.
_DIGESTS = """
CREATE TABLE digest_block(
  memory INTEGER NOT NULL, first BLOB NOT NULL, digests BLOB NOT NULL,
  PRIMARY KEY(memory, first));
"""

# Failed records that their owner gave up, until they are taken back.
_DISMISSED = "ALTER TABLE failed ADD COLUMN dismissed INTEGER NOT NULL DEFAULT 0;\n"

TABLES = _RUNS + _REQUESTS + _MEMORY + _MAYBE_APPLIED + _SENT + _ACCEPTED + _MARKS + _DIGESTS + _DISMISSED

#: What brings a ledger of the version before to this one.
MIGRATIONS = {
    2: "ALTER TABLE piece ADD COLUMN apart TEXT;\n" + _REQUESTS,
    3: """
ALTER TABLE run ADD COLUMN cursor TEXT;
ALTER TABLE run ADD COLUMN rule TEXT;
ALTER TABLE run ADD COLUMN known INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN settled INTEGER NOT NULL DEFAULT 1;
ALTER TABLE failed ADD COLUMN change TEXT NOT NULL DEFAULT '';
"""
    + _MEMORY,
    4: "UPDATE run SET state = 'discarded' WHERE state = 'abandoned'",
    5: """
ALTER TABLE run ADD COLUMN key_name TEXT;
ALTER TABLE failed ADD COLUMN retried_as INTEGER;
UPDATE failed SET retried_as = numbered.row FROM (
  SELECT run, kind, position, row_number() OVER (PARTITION BY retried_by ORDER BY kind, position) - 1 AS row FROM failed
  WHERE retried_by IN (SELECT id FROM run WHERE source = 'retry')) AS numbered
  WHERE (failed.run, failed.kind, failed.position) = (numbered.run, numbered.kind, numbered.position);
""",
    6: _MAYBE_APPLIED,
    7: _SENT,
    8: _ACCEPTED,
    9: _MARKS,
    10: _DIGESTS,
    11: _DISMISSED,
}
