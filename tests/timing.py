"""The one place that says how long a test may wait; slow machines set DICOMQUEST_TEST_TIME_SCALE."""

from __future__ import annotations

import os

MS = 0.001 * float(os.environ.get("DICOMQUEST_TEST_TIME_SCALE", "1"))
"""A millisecond as the tests count them: every time-out and pause in a test is a multiple of it."""

SHORT = 50 * MS
"""Long enough for two ends on loopback to exchange bytes; for waits that are expected to run out."""

LONG = 10_000 * MS
"""For waits that are expected to end early; when one runs out, the test has failed."""
