"""Lines, curves and arrowheads of an ecogram: plain geometry, and the SVG for it. Pure.

Points are (x, y) in pixels, y downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

Point = tuple[float, float]


def towards(one: Point, other: Point, by: float) -> Point:
    """Returns the point `by` away from `one` on the way to `other`."""
    far = hypot(other[0] - one[0], other[1] - one[1]) or 1.0
    return one[0] + (other[0] - one[0]) * by / far, one[1] + (other[1] - one[1]) * by / far


def zigzag(start: Point, end: Point) -> list[Point]:
    """Returns a zigzag from one point to the other, by which a strained tie is drawn."""
    steps = max(4, int(hypot(end[0] - start[0], end[1] - start[1]) / 7))
    return waves([part_way(start, end, step / steps) for step in range(steps + 1)])


def waves(line: Sequence[Point]) -> list[Point]:
    """Returns the line with every other point 4 to one side, the next 4 to the other."""
    found = [line[0]]
    for number in range(1, len(line) - 1):
        (ax, ay), (bx, by) = line[number - 1], line[number + 1]
        far = hypot(bx - ax, by - ay) or 1.0
        off = 4.0 if number % 2 else -4.0
        found.append((line[number][0] - (by - ay) / far * off, line[number][1] + (bx - ax) / far * off))
    return [*found, line[-1]]


def part_way(one: Point, other: Point, part: float) -> Point:
    """Returns the point that is this part of the way from `one` to `other`."""
    return one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part


def curve_at(start: Point, bend: Point, end: Point, part: float) -> Point:
    """Returns a point of the quadratic Bezier curve."""
    return part_way(part_way(start, bend, part), part_way(bend, end, part), part)


def polyline(points: Sequence[Point], form: str) -> str:
    """Returns the line through these points; black, if `form` has no colour."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    stroke = "" if "stroke=" in form else ' stroke="black"'
    return f'<polyline points="{path}" fill="none"{stroke} {form}/>'


def cross(at: Point) -> str:
    """Returns the sign that crosses out a line."""
    x, y = at
    path = f"M{x - 6:.1f} {y - 6:.1f}L{x + 6:.1f} {y + 6:.1f}M{x - 6:.1f} {y + 6:.1f}L{x + 6:.1f} {y - 6:.1f}"
    return f'<path d="{path}" stroke="black" stroke-width="2.5" fill="none"/>'


def arrow(before: Point, tip: Point) -> str:
    """Returns an arrowhead at `tip`, as somebody who comes from `before` sees it."""
    back = towards(tip, before, 9)
    dx, dy = (tip[1] - back[1]) * 0.45, (back[0] - tip[0]) * 0.45
    points = (tip, (back[0] + dx, back[1] + dy), (back[0] - dx, back[1] - dy))
    return f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="black"/>'
