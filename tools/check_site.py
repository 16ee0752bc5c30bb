"""Check that the built documentation site loads nothing from other hosts.

Hospitals read it behind closed networks. A link that a reader clicks may lead anywhere.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

FOREIGN = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
STYLE_URL = re.compile(r"(?:url\(\s*[\"']?|@import\s+[\"'])((?:https?:)?//[^\"')\s]+)")
CLICKED = {"a", "form"}
DESCRIBING = {"canonical", "prev", "next", "alternate"}
"""The relations of a <link> that a browser does not load."""


class LoadedAddresses(HTMLParser):
    """The addresses on other hosts that a browser loads with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of an element."""
        named = {name: value or "" for name, value in attrs}
        if tag in CLICKED or (tag == "link" and named.get("rel") in DESCRIBING):
            return
        for name in ("src", "srcset", "href", "data", "poster"):
            if FOREIGN.match(named.get(name, "")):
                self.found.append(named[name])


def loaded_addresses(file: Path) -> list[str]:
    """Return the addresses on other hosts that a page, a picture or a style sheet loads."""
    text = file.read_text(encoding="utf-8")
    found = STYLE_URL.findall(text)
    if file.suffix in {".html", ".svg"}:
        parser = LoadedAddresses()
        parser.feed(text)
        found += parser.found
    return found


def faults(site: Path) -> Iterator[str]:
    """Name each file that loads something from another host."""
    for file in sorted(site.rglob("*")):
        if file.suffix in {".html", ".css", ".svg"}:
            for address in loaded_addresses(file):
                yield f"{file.relative_to(site)} loads {address} from another host"


def main() -> int:
    """Print the faults, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, help="the folder of the built site")
    site = parser.parse_args().site
    if not (site / "index.html").is_file():
        print(f"{site} has no index.html: build the site first (make docs)", file=sys.stderr)
        return 1
    found = list(faults(site))
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
