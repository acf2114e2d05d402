"""C1 to C10 and C12: the process is killed at one named step, at its n-th time; then it goes on, and all is accounted for."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sendoff.sandbox import Sandbox
from tests.faults.proxy import FINE, Proxy, Weather
from tests.oracle import NOTHING, Judgement, account, copied, judge
from tests.stress.promise import Budget, Figures, Promise
from tests.stress.zygote import Child, Zygote, sendoff

RECORDS, BAD, INVALID = 240, {5, 77, 78, 200}, {30}
WINDOW = 4

#: What the catalogue calls each step, and where the process dies.
STEPS = {
    "c1": "before the plan is committed",
    "c2": "after the plan is committed",
    "c3": "after a request was handed to the transport",
    "c4": "in the middle of a body",
    "c5": "after the body, before the answer",
    "c6": "after the head of the answer",
    "c7": "after the answer",
    "c8": "inside the commit of a verdict",
    "c9": "inside the commit of a split",
    "c10": "inside the writing down of failed records",
    "c12": "while the run is closed",
}


#: Steps of a retry: from its beginning, where it claims, to its end.
RETRY_STEPS = ("begin", "c1", "c2", "c3", "c7", "c8", "c10", "c12")


def armed(step: str, hit: int, *words: str) -> None:
    """In the child: die at a step's n-th time, else run the connector, or what the words say."""
    if step in ARMS:
        ARMS[step](_Dying(hit))
    sendoff(list(words) or ["run", "c", "--json"])


class _Dying:
    """Dies when it is called for the n-th time."""

    def __init__(self, hit: int) -> None:
        self._left = hit

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _commit(die: _Dying, *, wanted: Callable[[Any], Any], before: bool = False) -> None:
    from sendoff.ledger.sqlite.ledger import SqliteLedger  # in the child, as all that follows

    commit = SqliteLedger.commit

    def dying(ledger: Any, state: Any, changes: Any) -> None:
        if before and wanted(changes):
            die()
        commit(ledger, state, changes)
        if not before and wanted(changes):
            die()

    SqliteLedger.commit = dying  # type: ignore[method-assign, assignment]


def _inside(die: _Dying, *, wanted: Callable[[Any], Any], at: str) -> None:
    """Die after a statement of a commit, when its transaction is open and not yet durable."""
    from sendoff.ledger.sqlite.ledger import SqliteLedger

    commit, waiting = SqliteLedger.commit, [False]

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> Any:
            if waiting[0] and sql.startswith(at):
                die()
            return super().execute(sql, *values)

        def executemany(self, sql: str, *values: Any) -> Any:
            done = super().executemany(sql, *values)
            if waiting[0] and sql.startswith(at):
                die()
            return done

    def noting(ledger: Any, state: Any, changes: Any) -> None:
        waiting[0] = bool(wanted(changes))
        commit(ledger, state, changes)
        waiting[0] = False

    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **named: connect(*args, **named, factory=Connection)  # type: ignore[assignment]
    SqliteLedger.commit = noting  # type: ignore[method-assign, assignment]


def _dispatch(die: _Dying, *, verb: str) -> None:
    from sendoff.run.dispatcher import Dispatcher
    from sendoff.transport.protocol import Request

    original = getattr(Dispatcher, verb)

    def dying(desk: Any, *args: Any) -> Any:
        if verb == "complete":
            die()
        found = original(desk, *args)
        if isinstance(found, Request):
            die()
        return found

    setattr(Dispatcher, verb, dying)


def _end(die: _Dying) -> None:
    """Hits 1 to 4: before the run is closed, inside, at its COMMIT, and after."""
    from sendoff.ledger.sqlite.ledger import SqliteLedger

    end, inside, connect = SqliteLedger.end, [False], sqlite3.connect

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> Any:
            if inside[0] and not sql.startswith("BEGIN"):
                die()
            return super().execute(sql, *values)

    def dying(*args: Any, **named: Any) -> None:
        die()
        inside[0] = True
        end(*args, **named)
        inside[0] = False
        die()

    sqlite3.connect = lambda *args, **named: connect(*args, **named, factory=Connection)  # type: ignore[assignment]
    SqliteLedger.end = dying  # type: ignore[method-assign]


def _begin(die: _Dying) -> None:
    """Hits 1 and 2: before a run is begun, and after, with its claims durable and nothing planned."""
    from sendoff.ledger.sqlite.ledger import SqliteLedger

    begin = SqliteLedger.begin

    def dying(*args: Any, **named: Any) -> Any:
        die()
        state = begin(*args, **named)
        die()
        return state

    SqliteLedger.begin = dying  # type: ignore[method-assign]


ARMS: dict[str, Callable[[_Dying], None]] = {
    "c1": lambda die: _commit(die, wanted=lambda changes: changes.opened, before=True),
    "c2": lambda die: _commit(die, wanted=lambda changes: changes.opened),
    "c3": lambda die: _dispatch(die, verb="next_requests"),
    "c7": lambda die: _dispatch(die, verb="complete"),
    "c8": lambda die: _inside(die, wanted=lambda changes: changes.delivered, at="COMMIT"),
    "c9": lambda die: _inside(die, wanted=lambda changes: changes.closed and len(changes.opened) > 1, at="INSERT INTO piece"),
    "c10": lambda die: _inside(die, wanted=lambda changes: changes.failed, at="INSERT OR IGNORE INTO failed"),
    "c12": _end,
    "begin": _begin,
}
#: Steps that are seen from the wire: which way, and after how many bytes. A request is about 900 of them, an answer about 200.
WIRE = {"c4": ("at_up", 600), "c5": ("at_up", 900), "c6": ("at_down", 60)}


def struck(step: str, hit: int, home: Path, zygote: Zygote) -> tuple[bool, int, Judgement]:
    """Kill a run at a step, go on with it, and judge: whether it was hit, how many requests came twice, and the judgement."""
    emails = {at: f"{'bad' if at in BAD else 'good'}{at}@example.com" for at in range(RECORDS)}
    source = {at: {"id": at, "email": email} for at, email in emails.items() if at not in INVALID}
    valid, children = list(source), list[Child]()

    def slay() -> None:
        children[0].signal(signal.SIGKILL)
        children[0].wait(10)

    def weather(number: int) -> Weather:
        if step not in WIRE or number > 0:
            return FINE
        way, first = WIRE[step]
        at: dict[str, Any] = {way: (first + 500 * (hit - 1), slay)}
        return Weather(**at)

    (home / "connectors.d").mkdir(parents=True)
    rows = (f"{at if at in source else 'x'},{email}\n" for at, email in emails.items())
    (home / "in.csv").write_text("id,email\n" + "".join(rows))
    with Sandbox(["400 if email ~ ^bad"]) as api, Proxy(api.port, weather) as proxy:
        (home / "connectors.d/c.yaml").write_text(
            "source: {use: csv, path: in.csv}\nschema: {id: integer, email: string}\nsend: {use: batch, max_records: 10}\n"
            f'on_failure: split\ndestination: {{url: "{proxy.url}/x", concurrency: 2, retry: {{initial_backoff: 0.01, max_backoff: 0.02}}}}\n'
        )
        children.append(zygote.start("tests.stress.failpoints:armed", step, hit, cwd=home))
        code = children[0].wait(60)
        assert code in (-9, 1), f"{step}@{hit}: {children[0].output()}"
        before = api.counts["replays"]
        if code == -9 and not ended(home / ".sendoff"):
            again = zygote.run("run", "c", "--json", cwd=home)
            assert again.wait(60) == 1, f"{step}@{hit}: {again.output()}"
        assert api.counts["conflicts"] == 0, f"{step}@{hit}: a key came with other bytes"
        held = account(home / ".sendoff")
        assert held is not None
        taken = [(record["id"], record) for record in api.received.get("/x", [])]
        judgement = judge(source, [valid[at] for at in held.delivered], taken, [valid[at] for at in held.rejected])
        assert ({valid[at] for at in held.rejected}, held.invalid) == (BAD, INVALID), f"{step}@{hit}: the wrong ones failed"
        return code == -9, api.counts["replays"] - before, judgement


def struck_retry(step: str, hit: int, home: Path, zygote: Zygote) -> bool:
    """Kill a retry of corrected records at a step, and go on as the tool says: each is applied once. Whether it was hit."""
    (home / "connectors.d").mkdir(parents=True)
    (home / "in.csv").write_text("id,email\n" + "".join(f"{at},bad{at}@example.com\n" for at in range(30)))
    with Sandbox(["400 if email ~ ^bad"]) as api:
        (home / "connectors.d/c.yaml").write_text(
            "source: {use: csv, path: in.csv}\nschema: {id: integer, email: string}\nsend: {use: batch, max_records: 4}\n"
            f'on_failure: split\ndestination: {{url: "{api.url}/x", concurrency: 2}}\n'
        )

        def run(*words: str) -> tuple[int | None, str]:
            child = zygote.run(*words, cwd=home)
            return child.wait(60), child.output()

        assert run("run", "c", "--no-early-stop", "-q")[0] == 1
        code, table = run("failed", "1", "--csv")
        assert code == 0, table
        rows = table.splitlines()
        # One stays bad, so that the retry has a failure to write down.
        fixed = [rows[0], rows[1], *(row.replace("bad", "good", 1) for row in rows[2:])]
        (home / "fix.csv").write_text("\n".join(fixed) + "\n")
        retry = ("retry", "1", "--from", "fix.csv", "--no-early-stop", "-q")
        child = zygote.start("tests.stress.failpoints:armed", step, hit, *retry, cwd=home)
        died = child.wait(60) == -9
        said = ""
        for _ in range(4):
            code, said = run(*retry)
            if "resume it first: sendoff run c" in said:
                assert run("run", "c", "-q")[0] in (0, 1)
            elif code == 2:
                break
        assert "1 failed again in run" in said, said
        again = int(said.partition("1 failed again in run ")[2].partition(",")[0])
        (home / "fix.csv").write_text(f"{fixed[0]}\n{rows[1].replace('bad', 'good', 1)}\n")
        assert run("retry", str(again), "--from", "fix.csv", "-q")[0] == 0
        taken = Counter(record["id"] for record in api.received.get("/x", []))
        assert taken == dict.fromkeys(range(30), 1), f"{step}@{hit}: {taken}"
        assert api.counts["conflicts"] == 0
        account(home / ".sendoff")
    return died


def ended(state: Path) -> bool:
    """Whether the last run was closed, durably; the account is held on the way."""
    if account(state) is None:
        return False
    with copied(state) as db:
        row = db.execute("SELECT state FROM run ORDER BY id DESC").fetchone()
    return row is not None and row[0] == "incomplete"


def stress(budget: Budget) -> Figures:
    """Every step at its first hits, over and over with later ones."""
    struck_at: Counter[str] = Counter()
    most, total, done = 0, NOTHING, 0
    scratch = Path(tempfile.mkdtemp(prefix="failpoints-"))
    try:
        with Zygote(scratch) as zygote:
            while budget.left(done):
                hit, step = done // len(STEPS) + 1, list(STEPS)[done % len(STEPS)]
                died, repeats, judgement = struck(step, hit, scratch / f"{step}-{hit}", zygote)
                struck_at[step] += died
                assert repeats <= WINDOW, f"{step}@{hit}: {repeats} requests came twice"
                most, total, done = max(most, repeats), total + judgement, done + 1
                if step in RETRY_STEPS and hit <= 4:
                    struck_retry(step, hit, scratch / f"retry-{step}-{hit}", zygote)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    missed = [step for step in STEPS if done >= len(STEPS) and not struck_at[step]]
    assert not missed, f"never reached: {missed}"
    return {"deaths": struck_at.total(), "steps": len(struck_at), **asdict(total), "most repeats": most}


PROMISE = Promise(
    name="failpoints",
    says="A process that dies before, in or after any step of a delivery loses nothing",
    rests_on="one transaction for what belongs together",
    stress=stress,
    ci=55,
    full=220,
    proof="deaths",
    zero=("lost", "unexpected", "duplicated", "recovered", "corrupted"),
)
