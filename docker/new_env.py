"""Writes docker/.env: the settings of .env.example with fresh random secrets, readable by you alone.

    python3 docker/new_env.py

Standard library only, so that any Python 3 can run it before anything is installed.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

#: Every variable that holds a secret, and how many random bytes make one.
SECRETS = {
    "AIRFLOW_ADMIN_PASSWORD": 12,
    "AIRFLOW_FERNET_KEY": 32,
    "AIRFLOW_JWT_SECRET": 64,
    "AIRFLOW_SESSION_SECRET": 32,
    "POSTGRES_PASSWORD": 24,
    "AIRFLOW_DB_PASSWORD": 24,
    "MLFLOW_DB_PASSWORD": 24,
    "REDIS_PASSWORD": 24,
    "S3_ACCESS_KEY": 15,
    "S3_SECRET_KEY": 30,
    "SPARK_SECRET": 32,
    "LMFLOW_AUTHOR_KEY": 32,
}


def filled(example: str) -> str:
    """The text of .env.example with every secret filled in."""

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}={new_secret(match[1])}"

    return re.sub(rf"^({'|'.join(SECRETS)})=$", fill, example, flags=re.MULTILINE)


def new_secret(name: str) -> str:
    """A random value in letters that need no quoting anywhere; Fernet wants its 32 bytes in base64."""
    content = secrets.token_bytes(SECRETS[name])
    return base64.urlsafe_b64encode(content).decode() if name == "AIRFLOW_FERNET_KEY" else content.hex()


def main() -> None:
    """Write the file, unless there is one: the volumes were made with its secrets."""
    path = FOLDER / ".env"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{path} exists; the databases know its passwords, so it is left as it is")
    with os.fdopen(descriptor, "w") as file:
        file.write(filled((FOLDER / ".env.example").read_text()))
    print(f"wrote {path}; the password of Airflow's user admin is AIRFLOW_ADMIN_PASSWORD in it")


if __name__ == "__main__":
    main()
