"""OHIF in a browser: its page, what goes wrong on it, and whether an image is drawn."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from playwright.sync_api import Page, Request

from fixtures.timing import LONG, MS

WAIT = 1000 * 6 * LONG
"""Milliseconds for a page whose script has 17 MB."""

GREY_LEVELS = """() => {
  const canvas = document.querySelector("canvas.cornerstone-canvas");
  if (!canvas || !canvas.width) return null;
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const grey = new Uint8Array(canvas.width * canvas.height);
  for (let at = 0; at < data.length; at += 4)
    grey[at / 4] = (data[at] + data[at + 1] + data[at + 2]) / 3;
  if (new Set(grey).size <= 16) return null;
  let text = "";
  for (let at = 0; at < grey.length; at += 32768)
    text += String.fromCharCode(...grey.subarray(at, at + 32768));
  return [canvas.width, canvas.height, btoa(text)];
}"""
"""The grey levels of the first image on the page; null as long as nothing is drawn."""


@dataclass(slots=True)
class Viewer:
    """A page of OHIF, and all that went wrong or astray on it."""

    page: Page
    address: str
    wrong: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda each: self._complain(each.text, each.type == "error"))
        self.page.on("pageerror", lambda each: self._complain(str(each)))
        self.page.on(
            "requestfailed", lambda each: self._complain(f"failed: {each.url}", not _is_left(each))
        )
        self.page.context.on("request", lambda each: self.requests.append(each.url))
        self.page.context.on(
            "response", lambda each: self._complain(f"{each.status} {each.url}", each.status >= 400)
        )

    def _complain(self, words: str, is_wrong: bool = True) -> None:
        if is_wrong:
            self.wrong.append(words)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/ohif{path}", timeout=WAIT)

    def expect_nothing_wrong(self) -> None:
        """Nothing red in the console, no failed request, and none to another host."""
        assert self.wrong == [], self.wrong
        own = (self.address, "data:", f"blob:{self.address}")
        assert [each for each in self.requests if not each.startswith(own)] == []


def _is_left(request: Request) -> bool:
    """Tell whether it is for an icon that was still on its way when its page was left."""
    return request.failure == "net::ERR_ABORTED" and "/static/icon." in request.url


def until(found: Callable[[], Any]) -> Any:
    """Ask again until there is an answer."""
    deadline = time.monotonic() + 6 * LONG
    while not (answer := found()):
        assert time.monotonic() < deadline, "nothing is drawn"
        time.sleep(100 * MS)  # a canvas tells nobody that it has changed
    return answer


def is_drawn(page: Page, image: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    """Tell whether the canvas correlates with an image."""
    found = page.evaluate(GREY_LEVELS)
    if found is None:
        return False
    width, height, levels = found
    canvas = np.frombuffer(b64decode(levels), np.uint8).reshape(height, width)
    rows, columns = image.shape
    scale = min(width / columns, height / rows)
    down = height / 2 + (np.arange(rows) + 0.5 - rows / 2) * scale
    across = width / 2 + (np.arange(columns) + 0.5 - columns / 2) * scale
    sampled = canvas[np.ix_(down.astype(int), across.astype(int))]
    return bool(np.corrcoef(sampled.ravel(), image.ravel())[0, 1] > 0.98)
