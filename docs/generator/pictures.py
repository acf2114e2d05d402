"""Drawings of boxes and arrows as SVG, legible on a light page and on a dark one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Literal

Kind = Literal["plain", "good", "bad", "store"]
FILLS: Mapping[Kind, str] = {"plain": "#4a5a9a", "good": "#2e7d4f", "bad": "#b3503f", "store": "#6d4c8c"}
LINE = "#8a93a6"
HEIGHT, LETTER, LINE_HEIGHT = 38, 8.2, 18
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


@dataclass(frozen=True)
class Box:
    """A box by the middle of it; its text may have several lines."""

    x: float
    y: float
    text: str
    kind: Kind = "plain"

    @property
    def width(self) -> float:
        return max(len(line) for line in self.text.split("\n")) * LETTER + 28

    @property
    def height(self) -> float:
        return HEIGHT + LINE_HEIGHT * self.text.count("\n")

    def edge(self, x: float, y: float) -> tuple[float, float]:
        """Where a line from the middle towards a point leaves the box."""
        dx, dy = x - self.x, y - self.y
        reach = min((self.width / 2 + 3) / abs(dx) if dx else math.inf, (self.height / 2 + 3) / abs(dy) if dy else math.inf)
        return self.x + dx * reach, self.y + dy * reach


@dataclass(frozen=True)
class Arrow:
    """An arrow from a box to another; `bend` is how far its middle is off the straight line, to the left of it."""

    start: str
    end: str
    text: str = ""
    bend: float = 0


@dataclass(frozen=True)
class Drawing:
    """Boxes by name, arrows between them, and the boxes in which something begins."""

    title: str
    boxes: Mapping[str, Box]
    arrows: list[Arrow]
    begins: list[str] = field(default_factory=list)

    def svg(self) -> str:
        """The drawing as a file."""
        boxes = self.boxes.values()
        left = min(box.x - box.width / 2 for box in boxes) - 40
        top = min(box.y - box.height / 2 for box in boxes) - 24
        width = max(box.x + box.width / 2 for box in boxes) + 20 - left
        height = max(box.y + box.height / 2 for box in boxes) + 24 - top
        view = f"{left:.0f} {top:.0f} {width:.0f} {height:.0f}"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" width="{width:.0f}" role="img" font-size="14"'
        tip = f'<path d="M0 0 8 4 0 8z" fill="{LINE}"/>'
        marker = 'id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"'
        lines = [
            f'{head} font-family="{FONT}">',
            f"<title>{escape(self.title)}</title>",
            f"<defs><marker {marker}>{tip}</marker></defs>",
            *(self._begin(self.boxes[name]) for name in self.begins),
            *(line for arrow in self.arrows for line in self._arrow(arrow)),
            *(line for box in boxes for line in _box(box)),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _begin(self, box: Box) -> str:
        x = box.x - box.width / 2
        return f'<circle cx="{x - 30:.0f}" cy="{box.y:.0f}" r="6" fill="{LINE}"/>' + _line(
            x - 24, box.y, x - 27 / 2, box.y, x - 3, box.y
        )

    def _arrow(self, arrow: Arrow) -> Iterator[str]:
        a, b = self.boxes[arrow.start], self.boxes[arrow.end]
        length = math.hypot(b.x - a.x, b.y - a.y)
        # The control point is twice as far off as the middle of the curve.
        cx = (a.x + b.x) / 2 + 2 * arrow.bend * (b.y - a.y) / length
        cy = (a.y + b.y) / 2 - 2 * arrow.bend * (b.x - a.x) / length
        (x1, y1), (x2, y2) = a.edge(cx, cy), b.edge(cx, cy)
        yield _line(x1, y1, cx, cy, x2, y2)
        if arrow.text:
            x, y = (x1 + 2 * cx + x2) / 4, (y1 + 2 * cy + y2) / 4
            if len(arrow.text) <= 2:
                yield f'<circle cx="{x:.0f}" cy="{y:.0f}" r="10" fill="{LINE}"/>'
                yield f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" fill="#fff" font-size="12">{arrow.text}</text>'
            else:
                shown = escape(arrow.text)
                yield f'<text x="{x:.0f}" y="{y - 6:.0f}" text-anchor="middle" fill="{LINE}" font-size="12">{shown}</text>'


def _line(x1: float, y1: float, cx: float, cy: float, x2: float, y2: float) -> str:
    path = f"M{x1:.0f} {y1:.0f}Q{cx:.0f} {cy:.0f} {x2:.0f} {y2:.0f}"
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.6" marker-end="url(#tip)"/>'


def _box(box: Box) -> Iterator[str]:
    x, y = box.x - box.width / 2, box.y - box.height / 2
    yield f'<rect x="{x:.0f}" y="{y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="7" fill="{FILLS[box.kind]}"/>'
    lines = box.text.split("\n")
    for number, line in enumerate(lines):
        at = box.y + 5 + (number - (len(lines) - 1) / 2) * LINE_HEIGHT
        yield f'<text x="{box.x:.0f}" y="{at:.0f}" text-anchor="middle" fill="#fff">{escape(line)}</text>'
