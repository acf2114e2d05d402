"""Look at all that a connector's run needs, step by step, without sending a record: `sendoff check --connect`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from sendoff.cleaning import clean
from sendoff.config.connector import Connector
from sendoff.encode import routing
from sendoff.errors import PluginCrash, SendoffError
from sendoff.errors.codes import Code
from sendoff.http.certificates import describe_handshake
from sendoff.http.connect import AddressRefused, dial, resolve
from sendoff.http.failures import describe_failure
from sendoff.intake.reading import read_source, source_errors
from sendoff.records import Page, Span
from sendoff.response.condition import statuses, within
from sendoff.run.prepare import RequestPreparer, connection_settings
from sendoff.run.request_template import BASE_HEADERS
from sendoff.transport.egress import address_problem
from sendoff.transport.protocol import Request, Response

#: A step over so many seconds says so, and the next begins; after so many all of them end.
SLOW, LIMIT = 5.0, 20.0
#: The steps that make no sense unless others went well.
_NEEDS = {"tls": ("address",), "api": ("address", "credentials")}


@dataclass(frozen=True, slots=True)
class Step:
    """One step, whether it went well, and how it went in a sentence.

    `ok` is None while a slow one is still under way, and where one was skipped as another did not go well.
    """

    name: str
    ok: bool | None
    sentence: str
    seconds: float
    #: The code of the problem that it is where it failed, and the key that it is about.
    code: Code = Code.SOURCE
    path: str = ""


class _Probe(NamedTuple):
    """What a step does: it returns whether it went well, and a sentence."""

    name: str
    code: Code
    path: str
    work: Callable[[], tuple[bool, str]]


class _UnderWay:
    """A step under way in a thread of its own, which nobody waits for at the end."""

    def __init__(self, asked: _Probe, redact: Callable[[str], str]) -> None:
        self._probe, self._redact, self._began = asked, redact, time.monotonic()
        self._found: tuple[bool, str] | None = None
        self._thread = threading.Thread(target=self._run, name=f"sendoff check {asked.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._probe.work()
        except BaseException as error:  # SystemExit, and the panics of polars
            known = error if isinstance(error, SendoffError) else PluginCrash.find(error)
            self._found = False, str(known) if known else f"{type(error).__name__}: {error}"

    def wait(self, seconds: float) -> bool:
        """Whether it has ended by then."""
        self._thread.join(max(0.0, seconds))
        return self._found is not None

    def step(self, unfinished: str = "", *, ok: bool | None = False) -> Step:
        """The step as it stands."""
        took = time.monotonic() - self._began
        well, sentence = self._found or (ok, unfinished.format(f"{round(took, int(took < 1)):g} s"))
        return Step(self._probe.name, well, clean(self._redact(sentence)), round(took, 3), self._probe.code, self._probe.path)


def probe(
    connector: Connector, on_step: Callable[[Step], None] = lambda step: None, *, slow: float = SLOW, limit: float = LIMIT
) -> list[Step]:
    """The steps of a connector, each once. `on_step` has each as it comes, and one that is slow twice."""
    end = time.monotonic() + limit
    steps: dict[str, Step] = {}
    under_way: dict[str, _UnderWay] = {}

    def note(step: Step) -> None:
        steps[step.name] = step
        on_step(step)

    for asked in _probes(connector, limit):
        lacking = [steps[name] for name in _NEEDS.get(asked.name, ()) if name in steps and not steps[name].ok]
        if lacking:
            because = "failed" if lacking[0].ok is False else "has not ended"
            note(Step(asked.name, None, f"skipped, as the step {lacking[0].name} {because}", 0.0, asked.code, asked.path))
            continue
        if (left := end - time.monotonic()) <= 0:
            sentence = f"skipped, as the steps before took all of the {limit:g} s"
            note(Step(asked.name, False, sentence, 0.0, asked.code, asked.path))
            continue
        under_way[asked.name] = _UnderWay(asked, connector.secrets.redact)
        ended = under_way[asked.name].wait(min(slow, left))
        note(under_way[asked.name].step("takes more than {}; the next steps go on", ok=None))
        if ended:
            del under_way[asked.name]
    for each in under_way.values():
        each.wait(end - time.monotonic())
        note(each.step("has not ended after {}"))
    if "source" in under_way:
        connector.source.cancel()
    return [*steps.values()]


def _probes(connector: Connector, limit: float) -> Iterator[_Probe]:
    to = connector.destination
    yield _Probe("secrets", Code.SECRET, "", lambda: (True, _secrets(connector)))
    yield _Probe("source", Code.SOURCE, "source", lambda: _source(connector))
    yield _Probe("address", Code.ADDRESS, "destination.url", lambda: _address(connector))
    if to.url[:6].lower() == "https:" and to.proxy is None:
        yield _Probe("tls", Code.TLS, "destination.tls", lambda: _tls(connector, limit))
    if connector.auth is not None or to.probe is not None:
        preparer = RequestPreparer(connector, lambda asked: connector.transport.send_one(asked, connection_settings(connector)))
        if connector.auth is not None:
            yield _Probe("credentials", Code.CREDENTIALS, "destination.auth", lambda: _credentials(connector))
        if to.probe is not None:
            declared = to.probe
            yield _Probe("api", Code.API, "destination.probe", lambda: _api(connector, preparer, declared))


def _secrets(connector: Connector) -> str:
    count = len(connector.secrets.references)
    return f"{count} found" if count else "none are named"


def _source(connector: Connector) -> tuple[bool, str]:
    source, schema = connector.source, connector.schema
    with source_errors(source):
        looked = source.peek()
    if looked is None:
        return True, "not read, as reading takes records away or starts a program; what can be seen without is right"
    with closing(cast("Generator[Page]", read_source(source, given=looked))) as found:
        page = next(found, None)
        if page is None:
            return True, "opened; it has no records now"
        if page.uniform:
            schema.check_columns(page.file, page.frame.columns)
        columns, rows = page.frame.columns, page.frame.height
    shown = ", ".join(columns[:8]) + (", …" if len(columns) > 8 else "")
    return True, f"{page.file + ': ' if page.file else ''}read {rows:,} record{'s' * (rows != 1)}, with the columns {shown}"


def _address(connector: Connector) -> tuple[bool, str]:
    to = connector.destination
    parts = urlsplit(to.proxy or to.url)
    host, port = parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)
    try:
        found = resolve(host, port, lambda address: address_problem(address, to.egress))
    except AddressRefused as error:
        return False, str(error)
    except OSError as error:
        return False, f"{host}: {describe_failure(error)}"
    addresses = ", ".join(sorted({str(each[4][0]) for each in found}))
    proxy = "the proxy " if to.proxy else ""
    try:
        dial(found, SLOW).close()
    except OSError as error:
        return False, f"cannot connect to {proxy}{host}:{port} ({addresses}): {describe_failure(error)}"
    return True, f"{proxy}{host} is {addresses}, and takes connections at port {port}"


def _tls(connector: Connector, limit: float) -> tuple[bool, str]:
    to = connector.destination
    parts = urlsplit(to.url)
    return describe_handshake(
        parts.hostname or "", parts.port or 443, to.tls, lambda address: address_problem(address, to.egress), timeout=limit
    )


def _credentials(connector: Connector) -> tuple[bool, str]:
    assert connector.auth is not None
    try:
        return True, connector.auth.fetch() or "sent with every request; nothing has to be fetched"
    finally:
        for secret in connector.auth.secrets():
            connector.secrets.add(secret, "***")


def _api(connector: Connector, preparer: RequestPreparer, declared: Mapping[str, str]) -> tuple[bool, str]:
    """The response to the request that the file declares; it has a method that changes nothing, and no body."""
    to = connector.destination
    url = declared["url"]
    own = {name: value for name, value in to.headers.items() if not routing.fields(value)}
    asked = Request(Span(0, 0), declared["method"], url, {**BASE_HEADERS, **own}, [], 0, deadline=LIMIT)
    prepared = preparer(asked)
    settings = connection_settings(connector)
    answer = prepared if isinstance(prepared, Response) else connector.transport.send_one(prepared, settings)
    what = f"{declared['method']} {url.partition('?')[0]}"
    if answer.status is None:
        return False, f"{what}: {answer.error}"
    expected = within(statuses(declared["expect"]), answer.status)
    return expected, f"{what} responded {answer.status}" + ("" if expected else f"; {declared['expect']} is expected")
