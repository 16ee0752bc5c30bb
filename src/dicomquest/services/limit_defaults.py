"""Defaults of limits that settings and services share; --help imports them (PS3.8 9.3.4)."""

from __future__ import annotations

MOST_WAITING = 32
"""Verifications that run or wait: some seconds of work. One more is rejected for now."""

MOST_OF_ADDRESS = 8
"""The same of one address, so that who guesses passcodes does not keep all others waiting."""

MOST_FAILURES = 10
"""Wrong passcodes of a user from one address; people mistype two or three times."""

MOST_FAILURES_OF_ADDRESS = 100
"""The same of one address, for all names: a gateway speaks for many people from one."""

LARGEST_STEP = 4 << 20
"""Bytes of the attributes of an N-CREATE or N-SET: 30,000 instances with UIDs of the longest kind.

The last one of a step names all of its instances.
"""

LARGEST_ORDERS = 16 << 20
"""Bytes of the worklist entries that come by one request by HTTP; each has a few thousand."""

LOCKOUT_TIME = 300.0
"""Seconds of a lock: with 10 passcodes in each, nobody tries more than 2,880 a day."""
