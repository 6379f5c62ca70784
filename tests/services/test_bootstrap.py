"""The first minute of a newcomer: an old Python, no network, a mirror, a second run."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lmflow import bootstrap

SOURCE = Path(bootstrap.__file__)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh clone, as far as the bootstrap looks, and no matter how full this disk is."""
    (tmp_path / "lmflow").mkdir()
    shutil.copy(SOURCE, tmp_path / "lmflow")
    set_constant(tmp_path, "INSTALL_GB", "0.0")
    (tmp_path / "requirements.txt").write_text("no-such-package-anywhere==1.0\n")
    return tmp_path


def set_constant(checkout: Path, name: str, value: str) -> None:
    """Change one constant of the checkout's copy of the bootstrap."""
    copy = checkout / "lmflow" / "bootstrap.py"
    line = re.compile(rf"^{name} = (\([^)]*\)|[^ \n]+)", re.MULTILINE)
    text, changed = line.subn(f"{name} = {value}", copy.read_text())
    assert changed == 1
    copy.write_text(text)


def run(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "lmflow" / "bootstrap.py"), "--for", "lint"]
    environment = {"HOME": str(checkout), "PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_python_3_6_can_parse_it_and_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 6))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_without_a_usable_python_one_line_says_which_to_install(checkout: Path) -> None:
    set_constant(checkout, "PYTHONS", '("3.99",)')
    done = run(checkout)
    assert done.returncode == 2
    assert done.stderr.startswith("lmflow: needs Python 3.11 or 3.12, found 3.")
    assert len(done.stderr.splitlines()) == 1


def test_without_a_network_one_line_says_so_and_what_to_do(checkout: Path) -> None:
    done = run(checkout, PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("lmflow: no network: uv could not be downloaded; connect (or set your mirror")
    assert not (checkout / ".venv" / ".lmflow-lock").exists()


def test_too_little_disk_is_said_before_anything_is_made(checkout: Path) -> None:
    set_constant(checkout, "INSTALL_GB", "5e9")
    done = run(checkout)
    assert done.returncode == 2
    assert re.match(r"lmflow: needs about 5000000000 GB of disk, [\d.]+ GB are free under ", done.stderr)
    assert not (checkout / ".venv").exists()


def test_a_second_run_is_over_at_once(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    lock = bootstrap.hashlib.sha256((checkout / "requirements.txt").read_bytes()).hexdigest()
    (checkout / ".venv" / ".lmflow-lock").write_text(lock)
    begin = time.monotonic()
    done = run(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begin < 5  # 0.1 s where nothing else runs


def test_a_mirror_that_pip_knows_is_told_to_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = tmp_path / "python"
    pip.write_text(
        "#!/bin/sh\necho \"global.index-url='https://mirror.example/simple'\"\necho \":env:.timeout='60'\"\n"
    )
    pip.chmod(0o755)
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "7")
    environment = bootstrap.uv_environment(str(pip))
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environment["UV_HTTP_TIMEOUT"] == "7"


def test_a_java_that_spark_can_use_is_found() -> None:
    home = bootstrap.find_java()
    assert home is not None
    assert bootstrap.java_version(home) >= 17
