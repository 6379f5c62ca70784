"""What every job shares: typed options from the command line, progress on stderr, one JSON line on stdout.

Not a framework: a job is a frozen `Options` model, a `run(options, progress)` that returns a dictionary, and one call
of `main`. Exit status 0 done (also: nothing new), 2 bad options or input in one line, 1 failed.
"""

from __future__ import annotations

import argparse
import atexit
import errno
import gc
import hashlib
import json
import logging
import sys
import time
import types
import typing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from lmflow.errors import InputError, ServiceError

# Python looks for garbage once more when it ends: half a second of a job that has loaded MLflow, and 0.07 s of the
# server that its readers are forked from, which a pipe behind the job waits for.
atexit.register(gc.freeze)

Result = dict[str, Any]
_RECENT_S = 60.0
_PLAIN_INTERVAL_S = 5.0


def digest(value: object) -> str:
    """A short name for a value that JSON can write."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


class Options(BaseModel):
    """Options of a job. Each field is a flag; its description is the help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Several:
    """Marks an option that takes several words and makes one value of them."""


OptionsT = TypeVar("OptionsT", bound=Options)


class Bar:
    """How far one piece of work has come: count, rate and time left, at the speed of the last minute."""

    def __init__(self, what: str, total: float | None, unit: str, already: float = 0) -> None:
        self._what, self.total, self._unit = what, total, unit
        self._done = already
        self._started = self._printed = time.monotonic()
        self._marks = deque([(self._started, already)])  # when so much was done, once a second at most

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Count `amount` more units as done."""
        self.reach(self._done + amount, note)

    def reach(self, done: float, note: str = "") -> None:
        """Set how many units are done in all."""
        self._done = done
        now = time.monotonic()
        if now - self._marks[-1][0] >= 1:
            self._marks.append((now, done))
            while now - self._marks[1][0] >= _RECENT_S:
                self._marks.popleft()
        if now - self._printed >= (0.2 if sys.stderr.isatty() else _PLAIN_INTERVAL_S):
            self._printed = now
            self._print(self._line(now) + (f"  {note}" if note else ""))

    def close(self) -> None:
        """Say how long it took, if that was long enough to wonder."""
        elapsed = time.monotonic() - self._started
        if elapsed >= 1 or sys.stderr.isatty():
            self._print(f"{self._what}: {self._done:,.0f} {self._unit} in {elapsed:.1f} s", last=True)

    def _line(self, now: float) -> str:
        since, already = self._marks[0]
        rate = (self._done - already) / max(now - since, 1e-9)
        if not self.total:
            return f"{self._what}: {self._done:,.0f} {self._unit}, {rate:,.1f} a second"
        left = max(self.total - self._done, 0) / rate if rate else float("inf")
        eta = f"{left:,.0f} s left" if left != float("inf") else "time left unknown"
        share = 100 * self._done / self.total
        return f"{self._what}: {self._done:,.0f} of {self.total:,.0f} {self._unit} ({share:.0f} %), {eta}"

    def _print(self, line: str, last: bool = False) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


class Progress:
    """Tells a person at a terminal, or a reader of a log, what is going on."""

    def say(self, text: str) -> None:
        """One line of news."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def bar(self, total: float | None, what: str, unit: str = "items", already: float = 0) -> Iterator[Bar]:
        """Progress of one piece of work of `total` units (None: unknown), of which some were done before."""
        bar = Bar(what, total, unit, already)
        try:
            yield bar
        finally:
            bar.close()


def parse(model: type[OptionsT], argv: Sequence[str], prog: str, doc: str) -> OptionsT:
    """Options from command-line words.

    Raises:
        InputError: an unknown flag or a value that the model refuses; the message names it.
    """
    parser = _Parser(prog=prog, description=doc.strip(), formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, field in model.model_fields.items():
        _add_flag(parser, name, field)
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    try:
        return model(**given)
    except ValidationError as error:
        first = error.errors()[0]
        flag = "--" + str(first["loc"][0]).replace("_", "-") if first["loc"] else "options"
        reason = str(first["msg"]).removeprefix("Value error, ")
        shown = f" (got {first['input']!r})" if first["loc"] and first["type"] != "missing" else ""
        raise InputError(f"{flag}: {reason}{shown}; see --help") from None


def main(model: type[OptionsT], run: Callable[[OptionsT, Progress], Result], doc: str | None) -> NoReturn:
    """Run a job as a process: parse, run, print the JSON line, exit."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    prog = f"python -m {sys.modules['__main__'].__spec__.name}" if sys.modules["__main__"].__spec__ else sys.argv[0]
    status = 0
    try:
        # Libraries that print must not spoil the one line on stdout.
        out, sys.stdout = sys.stdout, sys.stderr
        try:
            options = parse(model, sys.argv[1:], prog, doc or "")
        except _Help as help_text:
            print(help_text, file=out, end="")
            sys.exit(0)
        result = {"status": "done", **run(options, Progress())}
        print(json.dumps(result, ensure_ascii=False, default=str, allow_nan=False), file=out, flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except ServiceError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"error: no space left for {error.filename or 'a file'}: free some, run it again", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("error: interrupted; run the same command again to go on", file=sys.stderr)
        status = 130
    sys.stderr.flush()
    sys.exit(status)


class _Help(Exception):
    """The help text was asked for."""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that answers in one line instead of printing its whole usage."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")

    def print_help(self, file: Any = None) -> None:
        raise _Help(self.format_help())


def _add_flag(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    flag = "--" + name.replace("_", "-")
    kind, choices, many = _shape(field.annotation)
    many = many or any(isinstance(mark, Several) for mark in field.metadata)
    default = field.get_default(call_default_factory=True)
    notes = [field.description or ""]
    if field.is_required():
        notes.append("(required)")
    elif default not in (None, "", (), [], {}):
        shown = " ".join(map(str, default)) if isinstance(default, (tuple, list)) else default
        notes.append(f"(default: {shown})")
    help_text = " ".join(note for note in notes if note).replace("%", "%%")
    if kind is bool:
        parser.add_argument(flag, dest=name, action=argparse.BooleanOptionalAction, default=None, help=help_text)
        return
    if choices:
        help_text += f" One of: {', '.join(map(str, choices))}."
    metavar = name.rsplit("_", 1)[-1].upper()
    parser.add_argument(flag, dest=name, default=None, nargs="*" if many else None, metavar=metavar, help=help_text)


def _shape(annotation: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """The scalar type of an annotation, its choices if it is a Literal, and whether it takes several values."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _shape(args[0])
    if origin in (typing.Union, types.UnionType):
        return _shape(next(arg for arg in args if arg is not type(None)))
    if origin in (tuple, list):
        kind, choices, _ = _shape(args[0])
        return kind, choices, True
    if origin is dict:  # words NAME=VALUE
        return str, (), True
    if origin is Literal:
        return str, args, False
    return annotation, (), False
