"""The example that ships: a Google Sheet, four mornings, and each of them the right people told, once."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sendoff.sandbox import Sandbox
from sendoff.serving import Server
from sendoff.testing import Project
from sendoff_plugins.sources.google_sheets import GoogleSheets
from tests.core.serving.test_server import Clock, settled
from tests.plugins.sources import samples

EXAMPLE = Path(__file__).parents[3] / "connectors.d/morning-signups.yaml"
BERLIN = ZoneInfo("Europe/Berlin")

FIRST = "email,name,plan\nann@x.org,Ann,free\nbob@x.org,Bob,pro\ncee@x.org,,free\n"
MORE = FIRST + "dee@x.org,Dee,pro\neve@x.org,Eve,free\nflo@x.org,,free\n"
MORNINGS = [
    (FIRST, []),  # the day it is set up: who is there is known
    (FIRST, []),
    (
        MORE,
        [
            'POST /v1/subscribers {"email":"dee@x.org","name":"Dee","plan":"pro"}',
            'POST /v1/subscribers {"email":"eve@x.org","name":"Eve","plan":"free"}',
            'POST /v1/subscribers {"email":"flo@x.org","name":null,"plan":"free"}',
        ],
    ),
    (MORE.replace("Bob,pro", "Bob,free"), ['PUT /v1/subscribers/bob%40x.org {"email":"bob@x.org","name":"Bob","plan":"free"}']),
    (MORE.replace("Bob,pro", "Bob,free").replace("ann@x.org,Ann,free\n", ""), ["DELETE /v1/subscribers/ann%40x.org"]),
]


@pytest.mark.parametrize("way", ["by link", "by account"])
def test_every_morning_the_right_people_are_told_and_once(project: Project, way: str) -> None:
    sheet = project.home / "sheet.csv"
    sheet.write_text(FIRST)
    with Sandbox(stand_ins=[GoogleSheets.stand_in(sheet)]) as api:
        text = EXAMPLE.read_text().replace("http://127.0.0.1:8824", api.url)
        if way == "by account":
            project({"key.json": samples.google_key().replace("TOKEN_URI", f"{api.url}/token")})
            text = text.replace(
                f"docs_root: {api.url}", f"api_root: {api.url}, credentials: '${{file:key.json}}'".replace(", ", "\n  ")
            )
        project({"connectors.d/morning-signups.yaml": text})
        clock, said, seen = Clock(), list[str](), 0
        clock.now = datetime(2026, 3, 26, 12, tzinfo=BERLIN).timestamp()
        server = Server(
            lambda: project.runner(clock=clock), lambda name, event: said.append(f"{name}: {event.sentence()}"), clock=clock
        )
        for day, (rows, told) in enumerate(MORNINGS, 27):  # over the change of the clock
            sheet.write_text(rows)
            for hour in (6, 7, 8, 23):
                clock.now = datetime(2026, 3, day, hour, 0, 20, tzinfo=BERLIN).timestamp()
                server.tick()
                settled(server)
            assert sorted(api._log[seen:]) == sorted(f"{line}\n" for line in told), said
            seen = len(api._log)
        assert len([line for line in said if line.endswith(": due")]) == len(MORNINGS)
