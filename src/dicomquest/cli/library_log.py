"""The messages of libraries that decode images, as lines of our log: escaped, and counted."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Final, TextIO

LIBRARIES: Final = ("pydicom", "pylibjpeg", "py.warnings")
"""The beginnings of loggers' names: their records have tracebacks, or come by ``warnings``."""

MOST_TEXTS: Final = 1000
"""Different messages that are counted; beyond them the count begins anew."""


class CountedRecords(logging.Filter):
    """Lets the first record of a library's text pass, the tenth and so on, in one line.

    A traceback is left out: whatever fails by it has a line of its own, with the reason.
    """

    def __init__(self) -> None:
        super().__init__()
        self._times: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is shown; those of libraries are counted."""
        if not record.name.startswith(LIBRARIES):
            return True
        text = " ".join(record.getMessage().split())
        if text not in self._times and len(self._times) >= MOST_TEXTS:
            self._times.clear()
        times = self._times[text] = self._times.get(text, 0) + 1
        if not _is_power_of_ten(times):
            return False
        record.msg = text if times == 1 else f"{text} ({times} times)"
        record.args = None
        record.exc_info = record.exc_text = None
        record.levelno = min(record.levelno, logging.WARNING)
        record.levelname = logging.getLevelName(record.levelno)
        return True


def log_libraries(handler: logging.Handler) -> None:
    """Have the warnings and errors of libraries logged, as long as the process runs."""
    handler.addFilter(CountedRecords())
    if not sys.warnoptions:
        # Each of them, as they are counted here.
        warnings.simplefilter("always", UserWarning)
    warnings.showwarning = _log_warning


def _log_warning(  # noqa: PLR0917  the shape of ``warnings.showwarning``
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del filename, lineno, file, line
    logging.getLogger("py.warnings").warning("%s: %s", category.__name__, message)


def _is_power_of_ten(number: int) -> bool:
    while number >= 10 and number % 10 == 0:
        number //= 10
    return number == 1
