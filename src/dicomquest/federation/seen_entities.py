"""The entities of a query that have been answered, kept small: 17 MB a million (PS3.4 C.4.1.3)."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b

MOST_WHOLE = 20_000
"""Keys that are kept as they are before they become digests; about 3 MB."""

_BUCKET = 2
_DIGEST = 12


class SeenEntities:
    """A set of unique keys by their digests.

    A set of texts takes 150 bytes a key. Here a key is 12 bytes in one of 65,536 runs of bytes; of
    a million keys two have the same digest once in 10^21 queries.
    """

    def __init__(self, most_whole: int = MOST_WHOLE) -> None:
        self._most_whole = most_whole
        self._whole: set[bytes] = set()
        self._buckets: dict[bytes, bytearray] = {}

    def __contains__(self, identity: bytes) -> bool:
        if identity in self._whole:
            return True
        if not self._buckets:
            return False
        digest = blake2b(identity, digest_size=_BUCKET + _DIGEST).digest()
        bucket = self._buckets.get(digest[:_BUCKET])
        return bucket is not None and _has(bucket, digest[_BUCKET:])

    def has_none_of(self, identities: Collection[bytes]) -> bool:
        """Tell whether all of these are new."""
        if not self._whole.isdisjoint(identities):
            return False
        return not self._buckets or not any(each in self for each in identities)

    def add(self, identity: bytes) -> None:
        """Keep a key."""
        self._whole.add(identity)
        if len(self._whole) > self._most_whole:
            for each in self._whole:
                self._digest(each)
            self._whole.clear()

    def _digest(self, identity: bytes) -> None:
        digest = blake2b(identity, digest_size=_BUCKET + _DIGEST).digest()
        bucket = self._buckets.setdefault(digest[:_BUCKET], bytearray())
        if not _has(bucket, digest[_BUCKET:]):
            bucket += digest[_BUCKET:]


def _has(bucket: bytearray, digest: bytes) -> bool:
    at = bucket.find(digest)
    # Found across two digests, it is neither.
    while at >= 0 and at % _DIGEST:
        at = bucket.find(digest, at + 1)
    return at >= 0
