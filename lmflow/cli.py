"""`lmflow …`: the local installation from a terminal. Jobs are called as `python -m jobs.NAME`, see their `--help`."""

from __future__ import annotations

import json
import os
import signal
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from lmflow.errors import InputError, ServiceError
from lmflow.services import local, supervisor
from lmflow.services.demo import demo as run_demo
from lmflow.settings import settings

app = typer.Typer(
    name="lmflow",
    help="Keep language models fresh from corpora that grow every day.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_out = Console(highlight=False)


@app.command()
def up() -> None:
    """Start Airflow, MLflow, the sample sites and the model page. What runs already is left alone."""
    local.up(settings(), _say)
    _show_places()


@app.command()
def demo(
    conf: Annotated[str, typer.Option(help="Parameters of the retrain DAG that differ from its form, as JSON.")] = "{}",
) -> None:
    """Run one retraining on the sample corpus from crawl to champion, show its progress and what came out."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal leaves no more behind than Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    raise typer.Exit(run_demo(settings(), _conf(conf), _out))


@app.command()
def down() -> None:
    """Stop what `lmflow up` or `lmflow demo` started, and nothing else."""
    stopped = supervisor.down(settings())
    _say("stopped " + ", ".join(stopped) if stopped else "nothing was running")


@app.command()
def status() -> None:
    """Show what runs, where, and the logins. Exit status 1 when something is stopped or does not answer."""
    table = Table("service", "state", "process", box=None, pad_edge=False)
    rows = local.status(settings())
    for row in rows:
        table.add_row(*row)
    _out.print(table)
    _say(f"\nlogs: {settings().home / 'logs'}")
    _show_places()
    if any(state != "running" for _, state, _ in rows):
        raise typer.Exit(1)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: LMFLOW_SERVING_PORT.")] = None,
) -> None:
    """Serve the champions over HTTP, with a page to try them, until Ctrl-C."""
    words = [sys.executable, "-m", "lmflow.serving", "--port", str(port or settings().serving_port)]
    os.execv(sys.executable, words)  # noqa: S606 - an argument list, no shell


@app.command()
def report(
    what: Annotated[str, typer.Argument(help="corpus: what build_corpus kept and dropped, and why.")] = "corpus",
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
) -> None:
    """Say where the HTML report of the last run is."""
    from lmflow.corpus.page import report_file

    if what != "corpus":
        raise InputError(f"no report {what!r}; there is: corpus")
    if not report_file().exists():
        raise InputError(f"no corpus report at {report_file()}; run python -m jobs.build_corpus first")
    _say(str(report_file()))
    if show:
        webbrowser.open(report_file().as_uri())


@app.command()
def explain(
    doc_id: Annotated[str, typer.Argument(help="e.g. wikipedia:en:736")],
    policy_dir: Annotated[Path | None, typer.Option(help="Policies to compare with, if not the built-in ones.")] = None,
) -> None:
    """Print one document's whole story: fetched, measured, kept or dropped, copies, split."""
    from lmflow.corpus.policy import load
    from lmflow.corpus.story import story
    from lmflow.lake import Lake

    for chapter in story(Lake.open(), doc_id, load(["en"], policy_dir)):
        _out.print(chapter.heading, style="bold", markup=False)
        for line in chapter.lines:
            _say(f"  {line}")


def main() -> NoReturn:
    """Run one command; a mistake or a missing service is one line, not a traceback."""
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0)
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        _fail(f"{message.rstrip('.')}; see `lmflow --help`", 2)
    except InputError as error:
        _fail(str(error), 2)
    except ServiceError as error:
        _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", 130)


def _conf(text: str) -> dict[str, Any]:
    try:
        conf = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--conf is not JSON ({error}); for example --conf '{{\"epochs\": 1}}'") from None
    if not isinstance(conf, dict):
        raise InputError("--conf must be a JSON object; for example --conf '{\"epochs\": 1}'")
    return conf


def _say(line: str) -> None:
    _out.print(line, markup=False, soft_wrap=True)


def _show_places() -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for place in local.places(settings()):
        table.add_row(place.name, place.url, place.login)
    _out.print()
    _out.print(table)


def _fail(line: str, code: int) -> NoReturn:
    print(f"lmflow: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
