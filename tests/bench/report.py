"""The table and the picture of docs/performance.md, and the list of what must hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cases import Measured
from tests.bench.programs import Program

PAGE = Path(__file__).parents[2] / "docs/performance.md"
PICTURE = PAGE.with_name("performance.svg")
READ, READ_END = "<!-- read -->\n", "<!-- end of read -->\n"
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"


@dataclass(frozen=True)
class Bar:
    """One figure and what it must reach."""

    what: str
    found: float
    wanted: float
    least: bool = True

    @property
    def holds(self) -> bool:
        return self.found >= self.wanted if self.least else self.found <= self.wanted


def bars(found: Sequence[Measured], floors: Sequence[Bar]) -> list[Bar]:
    """The ratios between programs, and the floors."""
    made: list[Bar] = []
    by = {measured.case.title: measured for measured in found}

    def ratio(title: str, other: str, wanted: float, program: str = "sendoff") -> None:
        rates = by[title].rate if title in by else {}
        if program in rates and other in rates:
            made.append(Bar(f"{title}: {program} / {other}", rates[program] / rates[other], wanted))

    one = "one by one, 64 at once"
    for other, wanted in (("mq-bridge", 0.95), ("Redpanda Connect", 2.5), ("wrk", 0.5), ("urllib3 script", 20.0)):
        ratio(one, other, wanted)
    ratio("one by one, TLS, 64 at once", "wrk", 0.45)
    for n, wanted in ((64, 0.97), (256, 0.92), (512, 0.88)):
        title = f"one by one, 20 ms, {n} at once"
        if title in by:
            made.append(Bar(f"{title}: sendoff / bound of {n / 0.02:,.0f}", by[title].rate["sendoff"] / (n / 0.02), wanted))
    for size, of_a_million, of_three in (("1,000", 0.55, 0.7), ("10,000", 0.55, 0.75), ("250,000", 0.7, 0.8)):
        ratio(f"batches of {size}", "mq-bridge", of_a_million)
        ratio(f"three million, batches of {size}", "mq-bridge", of_three)
        for other, wanted in (("Redpanda Connect", 4.0), ("drt", 5.0), ("sendoff, urllib3", 0.95)):
            ratio(f"batches of {size}", other, wanted)
    ratio("nested and unlike, batches of 10,000", "mq-bridge", 0.35)
    return [*made, *floors]


def text(found: Sequence[Measured], made: Sequence[Bar], rounds: int) -> str:
    """The measured part of the page."""
    lines = [f"Medians of {rounds}, whole processes from start to end, all in one run.\n"]
    for measured in found:
        own = measured.rate["sendoff"]
        lines += [f"### {measured.case.title[0].upper()}{measured.case.title[1:]}\n"]
        lines += [
            "| program | records/s | sendoff is | CPU s per 100,000 | peak MiB | what it does |",
            "|---|--:|--:|--:|--:|---|",
        ]
        does: dict[str, Program] = {program.name: program for program in measured.case.programs}
        for name, rate in sorted(measured.rate.items(), key=lambda pair: -pair[1]):
            times = "" if name == "sendoff" else f"{own / rate:.2f} ×"  # noqa: RUF001  # the sign is meant
            lines.append(
                f"| {name} | {rate:,.0f} | {times} | {measured.cpu[name]:.2f} | {measured.peak[name]:,.0f} | {does[name].does} |"
            )
        left_out = [program.name for program in measured.case.programs if program.name not in measured.rate]
        lines.append(f"\nNot installed, and left out: {', '.join(left_out)}.\n" if left_out else "")
    return "\n".join([*lines, "### What must hold\n", table(made)])


def table(made: Sequence[Bar]) -> str:
    """Figures and what they must reach."""
    lines = ["| | measured | wanted | |", "|---|--:|--:|---|"]
    for bar in made:
        sign = "≥" if bar.least else "≤"
        lines.append(
            f"| {bar.what} | {_figure(bar.found)} | {sign} {_figure(bar.wanted)} | {'holds' if bar.holds else '**does not hold**'} |"
        )
    return "\n".join(lines) + "\n"


def write_read(made: Sequence[Bar]) -> None:
    """Put how fast sources read into the page."""
    before, _, rest = PAGE.read_text().partition(READ)
    PAGE.write_text(before + READ + "\n" + table(made) + "\n" + READ_END + rest.partition(READ_END)[2])


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def write(measured: str, found: Sequence[Measured]) -> None:
    """Put the measured part into the page, and draw the picture."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + "\n" + measured + "\n" + END + after)
    PICTURE.write_text(picture([m for m in found if m.case.title in ("one by one, 64 at once", "batches of 10,000")]))


def picture(found: Sequence[Measured]) -> str:
    """Bars on a logarithmic scale, one group a case."""
    width, left, row, top = 860, 170, 24, 40
    rows: list[str] = []
    y = 10
    for measured in found:
        rates = sorted(measured.rate.items(), key=lambda pair: -pair[1])
        low, high = 2.0, math.log10(max(rate for _, rate in rates) * 1.3)
        rows.append(f'<text x="{left}" y="{y + 20}" font-weight="bold">{measured.case.title}, records a second</text>')
        y += top
        for name, rate in rates:
            length = max(2.0, (math.log10(rate) - low) / (high - low) * (width - left - 110))
            colour = "#1f6feb" if name == "sendoff" else "#9aa4b2"
            rows.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{name}</text>')
            rows.append(f'<rect x="{left}" y="{y + 2}" width="{length:.0f}" height="16" rx="3" fill="{colour}"/>')
            rows.append(f'<text x="{left + length + 6:.0f}" y="{y + 14}">{rate:,.0f}</text>')
            y += row
        y += 16
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" font-family="system-ui, sans-serif" font-size="13">'
    )
    return "\n".join([head, f'<rect width="{width}" height="{y}" fill="white"/>', *rows, "</svg>"]) + "\n"
