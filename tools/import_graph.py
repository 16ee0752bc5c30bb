"""Draw the packages of dicomquest and their imports as an SVG file.

The rows are the layers of the import-linter contract in pyproject.toml; the arrows are read from
the sources. An arrow is left out where a longer way leads to the same package.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = "dicomquest"
LAYERS, SIDES = "layers", "the engine knows no network"

WIDTH, ROW, MARGIN = 820, 62, 24
BOX_WIDTH, BOX_HEIGHT, GAP = 132, 38, 28

STYLE = """
  text { font: 15px ui-monospace, monospace; fill: #14312e; text-anchor: middle }
  .modules { font: 11px system-ui, sans-serif; fill: #55706c }
  .box { fill: #e0f2f1; stroke: #00796b; stroke-width: 1.2 }
  .engine { fill: #fff3e0; stroke: #b26a00 }
  .network { fill: #e3f2fd; stroke: #1565c0 }
  .arrow { fill: none; stroke: #78909c; stroke-width: 1.3 }
"""

FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
 aria-label="The packages of dicomquest and their imports">
<style>{style}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0 8 4 0 8z" fill="#78909c"/></marker></defs>
<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>"""


@dataclass(frozen=True, slots=True)
class Box:
    """A package, with the place of its box in the picture."""

    name: str
    modules: int
    side: str
    x: float
    y: float


def contracts() -> dict[str, dict[str, Any]]:
    """Return the import-linter contracts by their names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {each["name"]: each for each in project["tool"]["importlinter"]["contracts"]}


def layers() -> list[list[str]]:
    """Return the packages of each layer, the highest first."""
    return [[name.strip() for name in row.split("|")] for row in contracts()[LAYERS]["layers"]]


def sides() -> dict[str, str]:
    """Return the packages of the engine and of the network: neither imports the other."""
    contract = contracts()[SIDES]
    return {
        name.rpartition(".")[2]: side
        for side, key in (("engine", "source_modules"), ("network", "forbidden_modules"))
        for name in contract[key]
    }


def package_of(module: str) -> str:
    """Return the name of a module's package below dicomquest; empty for dicomquest itself."""
    return module.removeprefix(PACKAGE).lstrip(".").partition(".")[0]


def imports(graph: grimp.ImportGraph) -> dict[str, set[str]]:
    """Return the packages that each package imports."""
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        importer = package_of(module)
        imported = {
            package_of(each) for each in graph.find_modules_directly_imported_by(module)
        } - {importer}
        found.setdefault(importer, set()).update(imported)
    return found


def reachable(edges: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """Return all packages that a package imports, directly or by others."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for each in edges.get(ahead.pop(), ()):
            if each not in found:
                found.add(each)
                ahead.append(each)
    return found


def without_short_cuts(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the imports without those that a longer way implies."""
    return {
        importer: {
            each
            for each in imported
            if not any(each in reachable(edges, other) for other in imported - {each})
        }
        for importer, imported in edges.items()
    }


def place(rows: Sequence[Sequence[str]], modules: Mapping[str, int]) -> dict[str, Box]:
    """Place a row for each layer: the engine on the left, the network on the right."""
    side_of = sides()
    centre = {"engine": WIDTH * 0.22, "network": WIDTH * 0.78, "": WIDTH * 0.5}
    boxes: dict[str, Box] = {}
    for number, row in enumerate(rows):
        y = MARGIN + number * ROW
        groups: dict[str, list[str]] = {}
        for name in row:
            groups.setdefault(side_of.get(name, ""), []).append(name)
        for side, names in groups.items():
            start = centre[side] - (len(names) - 1) * (BOX_WIDTH + GAP) / 2
            for position, name in enumerate(names):
                x = start + position * (BOX_WIDTH + GAP)
                boxes[name] = Box(name, modules.get(name, 0), side, x, y)
    return boxes


def arrow(start: Box, end: Box, boxes: Iterable[Box]) -> str:
    """Return a curve from the lower edge of a box to the upper edge of another."""
    top, bottom = start.y + BOX_HEIGHT, end.y - 3
    bend = (bottom - top) * 0.45
    # A straight line behind a box would look like two arrows, to that box and from it.
    hidden = any(start.x == each.x == end.x and top < each.y < bottom for each in boxes)
    aside = 1.5 * BOX_WIDTH if hidden else 0
    curve = (
        f"M{start.x:g} {top:g} C{start.x - aside:g} {top + bend:g} "
        f"{end.x - aside:g} {bottom - bend:g} {end.x:g} {bottom:g}"
    )
    return f'<path class="arrow" marker-end="url(#tip)" d="{curve}"/>'


def box(each: Box) -> str:
    """Return the box of a package, with its name and its number of modules."""
    count = f"{each.modules} module{'s' if each.modules > 1 else ''}"
    return (
        f'<rect class="box {each.side}" x="{each.x - BOX_WIDTH / 2:g}" y="{each.y:g}" '
        f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text x="{each.x:g}" y="{each.y + 17:g}">{escape(each.name)}</text>'
        f'<text class="modules" x="{each.x:g}" y="{each.y + 31:g}">{count}</text>'
    )


def picture() -> str:
    """Return the SVG text."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    counts: dict[str, int] = {}
    for module in graph.modules:
        counts[package_of(module)] = counts.get(package_of(module), 0) + 1
    rows = layers()
    boxes = place(rows, counts)
    drawn = {name: found for name, found in imports(graph).items() if name in boxes}
    edges = without_short_cuts(drawn)
    arrows = [
        arrow(boxes[importer], boxes[imported], boxes.values())
        for importer in sorted(edges)
        for imported in sorted(edges[importer])
        if imported in boxes
    ]
    height = 2 * MARGIN + (len(rows) - 1) * ROW + BOX_HEIGHT
    lines = [
        FRAME.format(width=WIDTH, height=height, style=STYLE),
        *arrows,
        *(box(each) for each in boxes.values()),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the SVG file to write")
    parser.parse_args().output.write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
