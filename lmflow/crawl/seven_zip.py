"""Members of a 7z archive as streams: py7zr pushes what it decompresses, a reader pulls it, a queue lies between."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, Final, Protocol

from lmflow.errors import InputError

_CHUNKS: Final = 16
_COPY: Final = 1 << 20


class Readable(Protocol):
    """Whatever gives bytes."""

    def read(self, amount: int, /) -> bytes:
        """At most so many bytes, empty at the end."""


@contextmanager
def on_disk(stream: Readable) -> Iterator[Path]:
    """A stream as a file, because 7z is read from its end: copied into a temporary one that goes with the block."""
    with tempfile.NamedTemporaryFile(suffix=".7z") as file:
        while piece := stream.read(_COPY):
            file.write(piece)
        file.flush()
        yield Path(file.name)


@contextmanager
def members(path: Path, names: Sequence[str]) -> Iterator[Iterator[tuple[str, Readable]]]:
    """The named members of an archive, in its order, each as a stream that must be read before the next is asked for.

    Raises:
        InputError: it is no 7z archive, or holds none of them.
    """
    import py7zr

    try:
        with py7zr.SevenZipFile(path) as archive:
            there = [name for name in archive.namelist() if name.rpartition("/")[2] in names]
    except (py7zr.exceptions.ArchiveError, OSError, EOFError, ValueError) as error:
        raise InputError(f"{path} is no 7z archive ({error})") from None
    if not there:
        raise InputError(f"{path} holds none of {', '.join(names)}")
    unpacking = _Unpacking(path, there)
    try:
        yield unpacking.streams()
    finally:
        unpacking.stop()


class _Unpacking:
    """A thread that decompresses into a queue of (member, bytes); None ends it, an exception breaks it off."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._queue: Queue[tuple[str, bytes] | BaseException | None] = Queue(_CHUNKS)
        self._stopped = Event()
        self._ahead: tuple[str, bytes] | None = None
        self._thread = Thread(target=self._run, args=(path, names), daemon=True)
        self._thread.start()

    def streams(self) -> Iterator[tuple[str, Readable]]:
        """One stream a member."""
        self._ahead = self._next()
        while self._ahead is not None:
            name = self._ahead[0]
            yield name, _Member(self, name)
            while self._ahead is not None and self._ahead[0] == name:  # what was not read
                self._ahead = self._next()

    def take(self, name: str) -> bytes:
        """The next bytes of a member, empty at its end."""
        if self._ahead is None or self._ahead[0] != name:
            return b""
        piece = self._ahead[1]
        self._ahead = self._next()
        return piece

    def push(self, name: str, piece: bytes) -> None:
        """From the thread: wait until there is room."""
        self._put((name, piece))

    def stop(self) -> None:
        """Let the thread end, whatever it was doing."""
        self._stopped.set()
        self._thread.join(timeout=30)

    def _next(self) -> tuple[str, bytes] | None:
        item = self._queue.get()
        if isinstance(item, BaseException):
            raise OSError(f"the archive cannot be read on: {item!r}") from item
        return item

    def _put(self, item: tuple[str, bytes] | BaseException | None) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.2)
                return
            except Full:
                continue
        raise _StoppedError

    def _run(self, path: Path, names: Sequence[str]) -> None:
        import py7zr

        try:
            with py7zr.SevenZipFile(path) as archive:
                archive.extract(targets=list(names), factory=_factory(self))
            self._put(None)
        except _StoppedError:
            return
        except BaseException as error:
            try:
                self._put(error)
            except _StoppedError:
                return


class _StoppedError(Exception):
    """Nobody reads any more."""


class _Member:
    """What a reader sees of one member."""

    def __init__(self, unpacking: _Unpacking, name: str) -> None:
        self._unpacking, self._name, self._left = unpacking, name, b""

    def read(self, amount: int, /) -> bytes:
        """At most so many bytes, empty at the end."""
        if not self._left:
            self._left = self._unpacking.take(self._name)
        piece, self._left = self._left[:amount], self._left[amount:]
        return piece


def _factory(unpacking: _Unpacking) -> Any:
    """A py7zr writer factory whose writers push into the queue."""
    from py7zr.io import Py7zIO, WriterFactory

    class Writer(Py7zIO):  # type: ignore[misc, unused-ignore]
        def __init__(self, name: str) -> None:
            self._name, self._size = name, 0

        def write(self, s: bytes | bytearray) -> int:
            if s:
                unpacking.push(self._name, bytes(s))
            self._size += len(s)
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return offset

        def flush(self) -> None:
            return

        def size(self) -> int:
            return self._size

    class Factory(WriterFactory):  # type: ignore[misc, unused-ignore]
        def create(self, filename: str) -> Py7zIO:
            return Writer(filename)

    return Factory()
