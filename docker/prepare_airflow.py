"""Brings Airflow's database to this version, makes its admin and the pool that training uses. Safe to repeat.

Airflow's own commands, called in this process: one start instead of five, and no password on a command line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ADMIN = "admin"
TRAINING_POOL = ("training", "1", "One training at a time: it takes every core or the GPU.")


def airflow(*words: str) -> None:
    """Run `airflow WORDS`."""
    from airflow.cli import cli_parser

    arguments = cli_parser.get_parser().parse_args(words)
    arguments.func(arguments)


def main() -> None:
    """Migrate, then make what is missing; the admin gets the password of the secret, also when it has changed."""
    secrets = Path(os.environ.get("SECRETS_FOLDER", "/run/secrets"))
    password = (secrets / "airflow_admin_password").read_text().strip()
    airflow("db", "migrate")
    about = ("--firstname", "lmflow", "--lastname", "admin", "--email", "admin@localhost.localdomain")
    airflow("users", "create", "--role", "Admin", "--username", ADMIN, "--password", password, *about)
    airflow("users", "reset-password", "--username", ADMIN, "--password", password)
    try:
        airflow("pools", "get", TRAINING_POOL[0])  # its size may have been changed since
    except SystemExit:
        airflow("pools", "set", *TRAINING_POOL)
    print("airflow is prepared", file=sys.stderr)


if __name__ == "__main__":
    main()
