"""The bytes of a stored data set, taken from front to back with little in memory (PS3.5 A)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final

from dicomquest.errors import DataSetError

PART: Final = 1 << 16
"""Bytes that are read and handed on at a time; a multiple of every word's size."""

_NO_END: Final = 1 << 62


class Source:
    """The data set from ``start`` to ``end``; ``read(count, at)`` returns bytes of its file.

    ``read`` returns exactly as many as are asked for, and fails otherwise.
    """

    def __init__(self, read: Callable[[int, int], bytes], start: int, end: int) -> None:
        self._read = read
        self._buffer = b""
        self._at = 0
        self._base = start  # the position of the buffer's first byte
        self._unread = start
        self._file_end = end
        self.end = end

    @property
    def position(self) -> int:
        """The offset of the next byte."""
        return self._base + self._at

    def at_end(self) -> bool:
        """Tell whether no byte is left."""
        return self._at >= len(self._buffer) and not self._fill(1)

    def take(self, count: int) -> bytes:
        """Return the next bytes, exactly so many; DataSetError if fewer are left."""
        data = self.peek(count)
        self._at += count
        return data

    def peek(self, count: int) -> bytes:
        """Return the next bytes without taking them; DataSetError if fewer are left."""
        at, end = self._at, self._at + count
        if end > len(self._buffer):
            if not self._fill(count):
                raise self._cut(count)
            at, end = self._at, self._at + count
        return self._buffer[at:end]

    def parts(self, count: int) -> Iterator[bytes]:
        """Take the next bytes in parts of ``PART`` bytes, the last one shorter."""
        while count:
            data = self.take(min(count, PART))
            yield data
            count -= len(data)

    def skip(self, count: int) -> None:
        """Leave out the next bytes; DataSetError if fewer are left."""
        if self._at + count <= len(self._buffer):
            self._at += count
            return
        target = self.position + count
        if target > self.end:
            raise self._cut(count)
        self._buffer, self._at, self._base, self._unread = b"", 0, target, target

    def rest(self, count: int) -> bytes:
        """Return up to ``count`` of the last bytes without taking them."""
        while len(self._buffer) - self._at < count and self._fill(len(self._buffer) + 1 - self._at):
            pass
        return self._buffer[self._at : self._at + count]

    def _fill(self, count: int) -> bool:
        """Have at least so many bytes in the buffer; tell whether there are."""
        parts = [self._buffer[self._at :]]
        held = len(parts[0])
        self._base, self._at = self._base + self._at, 0
        while held < count:
            part = self._more()
            if not part:
                break
            parts.append(part)
            held += len(part)
        self._buffer = b"".join(parts)
        return held >= count

    def _more(self) -> bytes:
        """Return the next bytes of the file that nobody has read; empty at its end."""
        count = min(PART, self._file_end - self._unread)
        if count <= 0:
            return b""
        data = self._read(count, self._unread)
        self._unread += len(data)
        return data

    def _cut(self, count: int) -> DataSetError:
        position = self.position
        return DataSetError(f"cut off: {count} bytes expected at {position}", offset=position)


class InflatedSource(Source):
    """A data set out of a raw deflate stream (PS3.5 A.5); positions are those of its own bytes."""

    def __init__(self, read: Callable[[int, int], bytes], start: int, end: int) -> None:
        super().__init__(read, start, end)
        self._base = 0
        self.end = _NO_END
        self._inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        self._pending = b""

    def skip(self, count: int) -> None:
        """Leave out the next bytes; DataSetError if fewer are left."""
        for _ in self.parts(count):
            pass

    def _more(self) -> bytes:
        inflater = self._inflater
        try:
            while not inflater.eof:
                pending = self._pending or super()._more()
                part = inflater.decompress(pending, PART)
                self._pending = inflater.unconsumed_tail
                if part:
                    return part
                if not pending:
                    raise DataSetError("the deflate stream is cut off", offset=self.position)
        except zlib.error as error:
            raise DataSetError(f"no deflate stream: {error}", offset=self.position) from error
        return b""
