"""The entities of a query that have been answered, kept small: 17 MB a million (PS3.4 C.4.1.3)."""

from __future__ import annotations

from hashlib import blake2b

_BUCKET = 2
_DIGEST = 12


class SeenEntities:
    """A set of unique keys by their digests.

    A set of texts takes 150 bytes a key. Here a key is 12 bytes in one of 65,536 runs of bytes; of
    a million keys two have the same digest once in 10^21 queries.
    """

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}

    def __contains__(self, identity: bytes) -> bool:
        digest = blake2b(identity, digest_size=_BUCKET + _DIGEST).digest()
        bucket = self._buckets.get(digest[:_BUCKET])
        return bucket is not None and _has(bucket, digest[_BUCKET:])

    def add(self, identity: bytes) -> None:
        """Keep a key."""
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
