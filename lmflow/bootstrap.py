#!/usr/bin/env python3
"""Makes a checkout runnable: the Python environment, Java for Spark, a browser for the browser test.

`make` runs this file with whatever `python3` the machine has. So it uses the standard library alone, and only syntax
that Python 3.6 can parse: an old interpreter must get far enough to find a newer one, or to say which one is missing.
A second run finds the lock's digest in the environment and is over at once.
"""
# ruff: noqa: UP006, UP035, UP045

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from typing import Dict, Iterator, List, NoReturn, Optional, Sequence

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOME = os.path.abspath(os.environ.get("LMFLOW_HOME") or os.path.join(PROJECT, ".lmflow"))
VENV = os.path.join(PROJECT, ".venv")
LOCK = os.path.join(PROJECT, "requirements.txt")
STAMP = os.path.join(VENV, ".lmflow-lock")
LOG = os.path.join(HOME, "logs", "bootstrap.log")

PYTHONS = ("3.11", "3.12")
INSTALL_GB = 6.0  # the environment is 4 GB with its bytecode, and the packages pass through a cache
JAVA_OLDEST = 17
JAVA_PACKAGES = ("openjdk-17-jre-headless", "openjdk-21-jre-headless")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_NETWORK = re.compile(
    r"dns error|failed to lookup|name resolution|could not resolve|network is unreachable|connection refused"
    r"|error sending request|client error|no matching distribution found for uv|tcp connect error|proxyerror|timed out"
    r"|temporary failure|newconnectionerror|failed to fetch|unable to fetch|failed to download",
    re.IGNORECASE,
)


def say(text: str) -> None:
    """Print one line of progress."""
    print(text, file=sys.stderr, flush=True)


def stop(text: str) -> NoReturn:
    """End with one line that says what is wrong and what to do."""
    say("lmflow: " + text)
    sys.exit(2)


def output_of(argv: Sequence[str], env: Optional[Dict[str, str]] = None) -> Optional[str]:
    """What a command printed, both streams together; None when it cannot be run or fails."""
    try:
        done = subprocess.run(
            list(argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def run_logged(argv: Sequence[str], env: Optional[Dict[str, str]] = None) -> Optional[str]:
    """Run a command with its output in the log file; None when it succeeded, else the end of what it printed."""
    with open(LOG, "a+b") as log:
        start = log.seek(0, os.SEEK_END)
        log.write(("$ " + " ".join(argv) + "\n").encode())
        log.flush()
        try:
            code = subprocess.call(list(argv), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, cwd=PROJECT)
        except OSError as error:
            return str(error)
        if code == 0:
            return None
        log.seek(start)
        return log.read().decode("utf-8", "replace")[-4000:] or f"exit {code}"


# Python ---------------------------------------------------------------------------------------------------------------


def python_candidates() -> List[str]:
    """Paths that may be a usable Python, the preferred version first; a pyenv shim may name one that is not there."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += ["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"]
    candidates = []
    for version in PYTHONS:
        candidates += [os.path.join(folder, "python" + version) for folder in folders]
        for root in ("~/.pyenv/versions", "~/.local/share/uv/python", "/opt/python"):
            root = os.path.expanduser(root)
            names = sorted(os.listdir(root), reverse=True) if os.path.isdir(root) else []
            candidates += [os.path.join(root, name, "bin", "python3") for name in names if version + "." in name]
    candidates += [sys.executable] + [os.path.join(folder, "python3") for folder in folders]
    return [path for path in dict.fromkeys(candidates) if path and os.access(path, os.X_OK)]


def python_version(python: str) -> Optional[str]:
    """`3.11` and the like, learnt by running it; None when it does not run."""
    printed = output_of([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return printed.strip() if printed else None


def find_python() -> str:
    """A Python of a supported version that can make environments.

    Exits with status 2 and one line when there is none.
    """
    without_venv = ""
    for path in python_candidates():
        if python_version(path) not in PYTHONS:
            continue
        if output_of([path, "-c", "import venv, ensurepip"]) is not None:
            return path
        without_venv = without_venv or path
    if without_venv:
        name = f"python{python_version(without_venv)}-venv"
        stop(f"{without_venv} cannot make environments; install its venv module (Debian: apt install {name})")
    stop(
        "needs Python 3.11 or 3.12, found {}.{} ({}); install one (Debian: apt install python3.11 python3.11-venv; "
        "macOS: brew install python@3.11; anywhere: uv python install 3.11) and run make again".format(
            *sys.version_info[:2], sys.executable
        )
    )


def uv_environment(python: str) -> Dict[str, str]:
    """The environment for uv, with what the user told pip (mirrors, certificates, proxy) where uv was told nothing."""
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "trusted-host": "UV_INSECURE_HOST",
        "constraint": "UV_CONSTRAINT",
        "timeout": "UV_HTTP_TIMEOUT",
        "default-timeout": "UV_HTTP_TIMEOUT",
        "cert": "SSL_CERT_FILE",
        "proxy": "ALL_PROXY",
    }
    told = {}
    # `pip config list` prints the weakest source first and one `source.name='value'` a line.
    for line in (output_of([python, "-m", "pip", "config", "list"]) or "").splitlines():
        key, _, value = line.partition("=")
        name = names.get(key.rpartition(".")[2])
        if name:
            told[name] = " ".join(value.strip().strip("'\"").replace("\\n", " ").split())
    if "UV_FIND_LINKS" in told:
        told["UV_FIND_LINKS"] = ",".join(told["UV_FIND_LINKS"].split())
    if "UV_INDEX" in told:
        told["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip takes the best version over all its indexes
    environment = dict(told, **os.environ)
    environment["VIRTUAL_ENV"] = VENV
    environment.pop("PYTHONPATH", None)
    return environment


def lock_digest() -> str:
    """The digest that says which lock an environment was made from."""
    with open(LOCK, "rb") as lock:
        return hashlib.sha256(lock.read()).hexdigest()


def environment_is_current() -> bool:
    """True when .venv was made from the lock as it is now."""
    try:
        with open(STAMP) as stamp:
            return stamp.read().strip() == lock_digest() and os.access(os.path.join(VENV, "bin", "python"), os.X_OK)
    except OSError:
        return False


def check_disk() -> None:
    """Stop when the packages would not fit."""
    free = shutil.disk_usage(PROJECT).free / 1e9
    if free < INSTALL_GB:
        stop(
            f"needs about {INSTALL_GB:.0f} GB of disk, {free:.1f} GB are free under {PROJECT}; "
            "free some and run make again"
        )


def give_up_on_install(what: str, printed: str) -> NoReturn:
    """Say in one line why packages could not be installed."""
    if NO_NETWORK.search(printed):
        stop(
            f"no network: {what} could not be downloaded; connect (or set your mirror with UV_DEFAULT_INDEX or pip's "
            f"index-url) and run make again. Details: {LOG}"
        )
    last = [line.strip() for line in printed.splitlines() if line.strip()][-1:]
    stop("{} could not be installed: {} (details: {})".format(what, " ".join(last), LOG))


def make_environment() -> None:
    """Make .venv hold exactly what requirements.txt names."""
    check_disk()
    python = os.path.join(VENV, "bin", "python")
    if python_version(python) not in PYTHONS:
        chosen = find_python()
        say(f"making .venv with {chosen}")
        failure = run_logged([chosen, "-m", "venv", "--clear", VENV])
        if failure:
            stop(f"cannot make .venv: {failure.strip().splitlines()[-1]}")
    uv = os.path.join(VENV, "bin", "uv")
    if not os.access(uv, os.X_OK):
        if output_of([python, "-m", "pip", "--version"]) is None:
            run_logged([python, "-m", "ensurepip"])
        failure = run_logged([python, "-m", "pip", "install", "--disable-pip-version-check", "uv"])
        if failure:
            give_up_on_install("uv", failure)
    say("installing the packages of requirements.txt (4 GB; one to five minutes the first time)")
    started = time.time()
    failure = run_logged(
        [uv, "pip", "install", "--python", python, "--requirement", LOCK, "--link-mode", "hardlink"],
        uv_environment(python),
    )
    if failure:
        give_up_on_install("the packages", failure)
    write_command()
    for name in os.listdir(VENV):
        if name.startswith("spark-classes-"):  # of the Spark that was there before
            os.unlink(os.path.join(VENV, name))
    with open(STAMP, "w") as stamp:
        stamp.write(lock_digest() + "\n")
    say(f"packages ready after {time.time() - started:.0f} s")


def write_command() -> None:
    """Put `lmflow` beside the environment's other commands.

    No .pth file and no installed package: a registered model must load without this checkout on the path.
    """
    path = os.path.join(VENV, "bin", "lmflow")
    with open(path, "w") as command:
        command.write(
            "#!{}\nimport sys\n\nsys.path.insert(0, {!r})\n\nfrom lmflow.cli import main\n\nmain()\n".format(
                os.path.join(VENV, "bin", "python"), PROJECT
            )
        )
    os.chmod(path, 0o755)  # noqa: S103 - a command for everybody, like its neighbours


# Java -----------------------------------------------------------------------------------------------------------------


def java_version(home: str) -> int:
    """The major version of the Java at a home folder; 0 when it does not run or lacks a module Spark asks for."""
    printed = output_of([os.path.join(home, "bin", "java"), "--add-modules", "jdk.incubator.vector", "-version"])
    found = re.search(r'version "(\d+)', printed or "")
    return int(found.group(1)) if found else 0


def find_java() -> Optional[str]:
    """The home folder of a Java that Spark can use, or None.

    Looks at JAVA_HOME, the PATH, <LMFLOW_HOME>/java, the checkout's .lmflow/java and /usr/lib/jvm, in this order.
    """
    homes = [os.environ.get("JAVA_HOME", "")]
    on_path = shutil.which("java")
    if on_path:
        homes.append(os.path.dirname(os.path.dirname(os.path.realpath(on_path))))
    ours = [os.path.join(home, "java") for home in (HOME, os.path.join(PROJECT, ".lmflow"))]
    for root in (*ours, "/usr/lib/jvm", "/Library/Java/JavaVirtualMachines"):
        for name in sorted(os.listdir(root)) if os.path.isdir(root) else []:
            homes += [os.path.join(root, name), os.path.join(root, name, "Contents", "Home")]
    for home in dict.fromkeys(homes):
        if home and os.access(os.path.join(home, "bin", "java"), os.X_OK) and java_version(home) >= JAVA_OLDEST:
            return home
    return None


def may_install() -> bool:
    """Whether the system's package manager may be used here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: Sequence[str]) -> Optional[str]:
    """Install Debian packages; None when that worked, else why not."""
    if not may_install():
        return "not root, or no apt-get"
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    run_logged(["apt-get", "update"], environment)  # the install tells whether it mattered
    return run_logged(["apt-get", "install", "-y", "--no-install-recommends", *list(packages)], environment)


def ensure_java() -> None:
    """Find Java 17 or newer, or install one and say so."""
    if find_java():
        return
    say(f"Spark needs Java {JAVA_OLDEST} or newer and none is here")
    for package in JAVA_PACKAGES if may_install() else ():
        say(f"apt-get install {package}")
        if apt_install([package]) is None and find_java():
            return
    target = os.path.join(HOME, "java")
    say(f"putting a Java {JAVA_OLDEST} into {target} (about 200 MB, with the install-jdk package)")
    tools = os.path.join(HOME, "tools")
    uv, python = os.path.join(VENV, "bin", "uv"), os.path.join(VENV, "bin", "python")
    os.makedirs(target, exist_ok=True)
    failure = run_logged([uv, "pip", "install", "--target", tools, "install-jdk"], uv_environment(python))
    failure = failure or run_logged(
        [python, "-c", "import jdk, sys; print(jdk.install(sys.argv[1], path=sys.argv[2]))", str(JAVA_OLDEST), target],
        dict(os.environ, PYTHONPATH=tools),
    )
    if failure or not find_java():
        stop(
            f"needs Java {JAVA_OLDEST} or newer and could not get one; install it (Debian: apt install "
            f"{JAVA_PACKAGES[0]}; macOS: brew install openjdk@17) or set JAVA_HOME, then run make again. Details: {LOG}"
        )


def spark_classes(environment: str, java: str) -> str:
    """Where Spark's classes lie for quick starts, for one environment and one Java: named by what `release` says."""
    try:
        with open(os.path.join(java, "release"), "rb") as release:
            build = release.read()
    except OSError:
        build = java.encode()
    return os.path.join(environment, f"spark-classes-{hashlib.sha256(build).hexdigest()[:8]}.jsa")


def ensure_spark_classes() -> None:
    """Let Spark leave its classes in a file, so that each later start takes half as long; without it all works too."""
    if os.path.exists(spark_classes(VENV, find_java() or "")):
        return
    say("preparing Spark for quick starts (half a minute, once)")
    run_logged([os.path.join(VENV, "bin", "python"), "-m", "jobs.spark_classes"])


# Browser --------------------------------------------------------------------------------------------------------------


def find_chromium() -> Optional[str]:
    """The browser that the browser test drives: LMFLOW_CHROMIUM, or a Chromium on the PATH."""
    for name in (os.environ.get("LMFLOW_CHROMIUM", ""), *CHROMIUMS):
        path = shutil.which(name) if name else None
        if path and output_of([path, "--version"]):
            return path
    return None


def ensure_browser() -> None:
    """Find Chromium and a font with Chinese characters, or install them and say so."""
    packages = []
    if not find_chromium():
        packages.append("chromium")
    if not (output_of(["fc-list", ":lang=zh"]) or "").strip():
        packages += ["fontconfig", "fonts-noto-cjk"]
    if not packages:
        return
    say("the browser test needs {}: apt-get install".format(" and ".join(packages)))
    failure = apt_install(packages)
    if not find_chromium():
        stop(
            "no Chromium could be installed ({}); install one, or set LMFLOW_CHROMIUM to its path. Details: {}".format(
                (failure or "it does not start").strip().splitlines()[-1], LOG
            )
        )


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one bootstrap at a time change this checkout."""
    os.makedirs(os.path.dirname(LOG), exist_ok=True)
    with open(os.path.join(HOME, "bootstrap.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Make what one purpose needs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--for",
        dest="purpose",
        default="demo",
        choices=["lint", "demo", "test", "browser"],
        help="lint: Python alone; demo and test: Python and Java; browser: Chromium too",
    )
    purpose = parser.parse_args(argv).purpose
    try:
        with alone():
            if not environment_is_current():
                make_environment()
            if purpose != "lint":
                ensure_java()
                ensure_spark_classes()
            if purpose == "browser":
                ensure_browser()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        stop("{}: {}".format(error.filename or "cannot go on", error.strerror or error))


if __name__ == "__main__":
    main()
