"""Defaults of limits that settings and services share; --help imports them (PS3.8 9.3.4)."""

from __future__ import annotations

MOST_WAITING = 32
"""Verifications that run or wait: some seconds of work. One more is rejected for now."""

MOST_OF_ADDRESS = 8
"""The same of one address, so that who guesses passcodes does not keep all others waiting."""
