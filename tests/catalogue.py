"""The fault catalogue: what can go wrong between a record and its API, and what sendoff does then.

A row is held by tests that carry its number in their names; ``docs/faults.md`` is made of the two.
A row that no test here can cause has its reason instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent

KINDS = {
    "n": "Network",
    "h": "HTTP",
    "m": "Malicious or careless servers",
    "c": "Crashes and state",
    "d": "Disk",
    "l": "Locks",
    "t": "Time",
    "k": "Configuration",
    "r": "Records and sources",
    "x": "Security",
}

ROWS: dict[str, tuple[str, str]] = {
    "n1": ("connection refused", "retried as not sent; an outage stops the run, resumably"),
    "n2": ("a connection that is never answered (SYN dropped)", "times out in ten seconds at most, as not sent"),
    "n3": ("a name that does not resolve, or a name server that says nothing", "retried as not sent, with the name in the message"),
    "n4": ("a name with several addresses, the first ones dead", "the next address is tried within the same time"),
    "n5": ("a name that turns private between check and connect", "not connected to: the address itself is checked"),
    "n6": ("reset before or within the request's head", "retried, with the same key and bytes"),
    "n7": ("reset in the middle of a body", "may have been applied: the same key, the same bytes"),
    "n8": ("reset after the body, before the response", "the repeat gets its response from the API's memory of keys; applied once"),
    "n9": ("reset within the response", "never taken for a success"),
    "n10": ("a peer that forgot the connection", "one deadline for the whole attempt"),
    "n11": ("a third of all packets lost", "the run finishes, and each record arrives once"),
    "n12": ("a partition that lasts", "the run stops; the next one resumes it"),
    "n13": ("a kept connection that the server has closed", "reconnected, and sent again at once with the same key; the first three times without counting an attempt"),
    "n14": ("a slow, sliced or delayed connection", "does not time out while data arrives"),
    "n15": ("TLS: expired, wrong host, self-signed, unknown authority, old version", "the run stops, and nothing was sent"),
    "n16": ("a proxy that is down, requires credentials, or responds with an HTML page", "named, with its password redacted"),
    "n17": ("proxies, netrc and certificates in the environment", "not used unless asked for"),
    "h1": ("a response shorter than it declares", "incomplete: unknown, retried"),
    "h2": ("a response longer than it declares, or an unsolicited second one", "the connection is not used again"),
    "h3": ("two lengths, or a length and chunks", "not accepted: unknown, retried"),
    "h4": ("a bad chunk size, or no last chunk", "incomplete: unknown, retried"),
    "h5": ("an invalid status line, a status out of range", "not HTTP: unknown, retried"),
    "h6": ("a hundred interim responses before the final one", "bounded, and skipped"),
    "h7": ("a megabyte of headers, thousands of them, forbidden bytes in them", "bounded: unknown, retried"),
    "h8": ("a 204 with a body", "the body is ignored, and the connection is closed"),
    "h9": ("redirects", "never followed; the run stops and names the new location"),
    "h10": ("a login page where JSON is declared", "the run stops, and the records are held"),
    "h11": ("207, or errors within a 200", "a verdict for each record where it is declared, else the run stops"),
    "h12": ("results too short, too long, duplicated, or of an unknown record", "the run stops, and the records are held"),
    "h13": ("responses that are not JSON, or ten thousand deep", "a sentence, never a traceback"),
    "h14": ("Retry-After of every kind", "within bounds, never negative, and never for a fast repeat"),
    "h15": ("503 forever", "few requests, then the run stops, resumably"),
    "h16": ("401 at the first of many", "one request"),
    "h17": ("401 in the middle", "one renewal for all, then the run continues; without one the run stops"),
    "h18": ("400 for every record", "four requests, and no record is marked failed"),
    "h19": ("413 above an undocumented size", "the size is learnt once; every record is delivered"),
    "h20": ("500 for every request with one record", "the others finish; it alone is held"),
    "h21": ("409 to a repeat, as the first is still in progress", "waited for, with the same key"),
    "h22": ("422, as a key came with other bytes", "cannot happen: tests count it, and none has seen one"),
    "h23": ("applied, and then a 500", "repeated as it was, never in parts"),
    "h24": ("HTTP/2", "not spoken: HTTP/1.1 is asked for, and any other response is not accepted"),
    "m1": ("an endless body", "read up to a bound"),
    "m2": ("a gzip bomb, codings within codings", "none is asked for; what arrives is bounded after decoding"),
    "m3": ("a byte now and then, forever", "one deadline for the whole attempt"),
    "m4": ("a server that accepts and never responds", "the same deadline"),
    "m5": ("a server that never reads", "the same deadline"),
    "m6": ("escapes, formulas and megabytes in its reasons", "sanitized, bounded, and harmless in a spreadsheet"),
    "m7": ("reasons that echo the credentials", "redacted, in every form"),
    "m8": ("floods of cookies", "there is no cookie jar"),
    "m9": ("a Retry-After that starves the run", "bounded, reported, and respected by the next run"),
    "m10": ("a success for what was dropped", "no client can know: docs/guarantees.md"),
    "c1": ("killed before the plan is committed", "never sent"),
    "c2": ("killed after the plan is committed", "sent by the next run"),
    "c3": ("killed after a request was dispatched", "repeated, with the same key and bytes"),
    "c4": ("killed in the middle of a body", "repeated, with the same key and bytes"),
    "c5": ("killed after the body", "repeated, with the same key and bytes"),
    "c6": ("killed after the head of the response", "repeated, with the same key and bytes"),
    "c7": ("killed after the response", "repeated, with the same key and bytes"),
    "c8": ("killed inside the commit of a verdict", "all of it or nothing of it"),
    "c9": ("killed inside the commit of a split", "all of it or nothing of it"),
    "c10": ("killed while failed records are written down", "all of them or none"),
    "c11": ("killed during a checkpoint", "SQLite recovers from its log"),
    "c12": ("killed while the run is closed", "closed, or resumed"),
    "c13": ("killed at random", "nothing lost, nothing applied twice, at most a window repeated"),
    "c14": ("killed at the n-th write or sync", "as above"),
    "c15": ("the power cut at any write, what was not synced lost or torn", "every verdict that was committed is there"),
    "c16": ("the power cut at the ledger's birth", "recreated or opened; nothing was sent without it"),
    "c17": ("SIGTERM, SIGINT once and twice, SIGHUP, a closed pipe", "an exit code each, and the next run resumes"),
    "c18": ("out of memory", "as c13"),
    "c19": ("stopped for long, then woken", "the lock is the kernel's and never expires: no second runner"),
    "c20": ("forked by the caller", "the child cannot use the ledger"),
    "c21": ("a ledger of an older or a newer version", "brought up to date in one transaction, or refused with both versions"),
    "c22": ("a ledger that is cut, overwritten, emptied or gone", "refused, with what to do; never silently recreated"),
    "c23": ("another ledger in its place", "refused"),
    "c24": ("a ledger's database server restarted", ""),
    "d1": ("a full disk", "the run stops; nothing was sent unrecorded; the next run resumes"),
    "d2": ("an error of the disk at a sync", "the run stops at once, and no sync is tried again"),
    "d3": ("a state directory that is read-only, full of others' files, or gone", "reported before anything is sent"),
    "d4": ("a network filesystem", "refused"),
    "l1": ("a connector started twice at once", "one runs, the other reports which process does"),
    "l2": ("a lock file deleted, or left behind", "the lock is on the open file; what is stale never blocks"),
    "l3": ("two connectors on one ledger", "both run; one writes at a time"),
    "l4": ("a schedule that comes due while its run is going", "skipped, and reported"),
    "t1": ("the wall clock set back or forward in a run", "waits are on the monotonic clock; nothing stops, nothing races"),
    "t2": ("daylight saving: an hour twice, or not at all", "once, by a rule that is written down"),
    "t3": ("asleep for eight hours", "deadlines pass, and the run continues or stops, resumably"),
    "k1": ("unknown keys, wrong types, missing keys", "reported with file, line, column and the nearest name"),
    "k2": ("a duplicate key", "refused"),
    "k3": ("alias bombs", "aliases are refused"),
    "k4": ("nesting without end", "refused"),
    "k5": ("what YAML takes for something else", "the YAML 1.2 core schema; text where text is declared"),
    "k6": ("tags", "refused"),
    "k7": ("variables that are unset, hold newlines, or refer on", "named; a value stays one value"),
    "k8": ("names that are paths, or too long", "refused"),
    "k9": ("URLs with userinfo, other schemes, odd hosts", "refused, or normalised once and used as checked"),
    "k10": ("headers with line ends, or that are sendoff's own", "refused"),
    "k11": ("records that would lead a URL elsewhere", "escaped; scheme and host are never made of records"),
    "k12": ("sizes and times out of range", "refused, with the range"),
    "k13": ("columns that are missing or new", "reported before anything is sent"),
    "k14": ("a connector changed under an interrupted run", "refused where it changes what is sent"),
    "k15": ("files of secrets that others can read", "warned of by `sendoff doctor`"),
    "r1": ("NaN and infinity", "skipped with a reason, never null"),
    "r2": ("integers beyond 64 bits, or thousands of digits long", "exact, or skipped"),
    "r3": ("decimals", "with all their digits"),
    "r4": ("half a surrogate pair", "skipped with a reason"),
    "r5": ("NUL and control characters", "kept, escaped"),
    "r6": ("byte order marks, wrong encodings, invalid bytes", "stripped, or skipped with their place"),
    "r7": ("line ends of every kind, and inside quotes", "per RFC 4180, with the right line numbers"),
    "r8": ("a quote that is never closed", "reported at its opening line"),
    "r9": ("headers that are empty or duplicated", "refused"),
    "r10": ("ragged rows", "skipped with a reason"),
    "r11": ("a line of a gigabyte", "refused, in bounded memory"),
    "r12": ("a cell of megabytes", "read, up to the bound of a record"),
    "r13": ("JSON lines that are blank, broken, duplicated or deep", "skipped one by one"),
    "r14": ("numbers as only some would write them", "a strict grammar"),
    "r15": ("sources without a record, or without a good one", "counted, and reported"),
    "r16": ("rows that are equal", "both sent, under keys of their own"),
    "r17": ("spreadsheets: bombs, links, dates, formulas", "bounded, values only, no network"),
    "r18": ("Parquet that is broken or nested", "reported before anything is sent"),
    "r19": ("a source that changes during a run or between runs", "detected, and refused"),
    "r20": ("directories, pipes and devices for files", "regular files only"),
    "r21": ("SQL: ties, nulls and late rows at a cursor, lost connections", "each reported or handled; never silently skipped"),
    "r22": ("a Google Sheet that is edited while it is read", "detected, and read again"),
    "r23": ("archives that are truncated or followed by junk", "reported; nothing after it is guessed"),
    "x1": ("sixty private addresses in four ways", "never connected to"),
    "x2": ("a redirect to another origin with credentials", "nothing is sent there"),
    "x3": ("secrets of every kind over every path", "nowhere to be found, in any form"),
    "x4": ("a hostile plugin on the path, or of a built-in's name", "not loaded unless allowed; refused"),
    "x5": ("expressions in configuration", "text: there is no such language"),
    "x6": ("records that forge lines of a log", "escaped: an event is a line"),
    "x7": ("modes and symbolic links in the state directory", "0600 in 0700, and links are not followed"),
    "x8": ("bombs of compression and XML in sources", "bounded"),
    "x9": ("regular expressions that run away", "a schema's own `regex` is matched in linear time, wherever that means the same"),
    "x10": ("a ledger that was tampered with", "triggers and views are not trusted, and a foreign schema is refused"),
    "x11": ("strangers who hold an inbox's connections, flood it and post without a token", "partners are answered, and what was answered 202 arrives"),
}  # fmt: skip

#: Rows that no test here causes, and why.
REASONS = {
    "c24": "There is no ledger on a database server: it is a file of SQLite. Nothing to restart.",
}


class Test(NamedTuple):
    """A test that carries a row's number: its file, and the name that does."""

    file: Path
    name: str


def tests() -> dict[str, list[Test]]:
    """Every row's tests, as their names tell."""
    found: dict[str, list[Test]] = {row: [] for row in ROWS}
    for file in sorted([*TESTS.rglob("test_*.py"), *TESTS.glob("stress/*.py")]):
        own = file.name == "test_controls.py"  # faults of sendoff's own, and not of the world
        if own or any(part.startswith(".") for part in file.relative_to(TESTS).parts):
            continue
        for name, rows in _named(file.read_text()):
            for row in rows:
                found[row].append(Test(file, name))
    return found


_NUMBER = re.compile(r"(?:^|_)([a-z]\d+)(?=_|-|$)")


def _named(text: str) -> Iterator[tuple[str, set[str]]]:
    """Names of tests, and ids of cases, with the rows they carry: `test_c13_…`, `"n6-before-…"`, `("h5", …)`, `"c1": "…"`."""
    for function, case, short, key in re.findall(r'def test_(\w+)|"([a-z]\d+-[^"]+)"|\("([a-z]\d+)",|"([a-z]\d+)": "', text):
        name = function or case or short or key
        leading = re.match(r"(?:[a-z]\d+_(?:to_)?)*(?:[a-z]\d+)?", name)
        numbers = _NUMBER.findall(leading[0] if leading and function else name.partition("-")[0])
        rows = {number for number in numbers if number in ROWS}
        if rows:
            yield name, rows


def page() -> str:
    """``docs/faults.md``."""
    held = tests()
    lines = [
        "# Faults\n",
        "Every fault that sendoff is put to, what it does, and the tests that cause it. Made of `tests/catalogue.py` and of the",
        "names of the tests by `make docs`; a test holds it to them.",
    ]
    for letter, kind in KINDS.items():
        lines.append(f"\n## {kind}\n\n| | fault | what sendoff does | tests |\n| --- | --- | --- | --- |")
        for row, (fault, answer) in ROWS.items():
            if row[0] != letter:
                continue
            files = sorted({test.file.relative_to(TESTS.parent).as_posix() for test in held[row]})
            links = ", ".join(
                f"[{len([t for t in held[row] if t.file.as_posix().endswith(f)])} in {Path(f).stem}](../{f})" for f in files
            )
            lines.append(f"| {row.upper()} | {fault} | {answer or REASONS[row]} | {links or '(none)'} |")
    return "\n".join(lines) + "\n"
