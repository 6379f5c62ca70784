"""Starts a process of the cluster, told what compose cannot tell it: secrets, and the address Spark finds it at.

Docker mounts each secret that a service was given as a file. Airflow, MLflow, Spark and the AWS clients want them in
variables and addresses of their own: made here, they stand in no compose file and in no `docker inspect`.

    python entrypoint.py COMMAND ...
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

SECRETS = Path("/run/secrets")
SPARK_DEFAULTS = Path(__file__).parent / "spark" / "spark-defaults.conf"

#: A secret that is a variable as it stands.
PLAIN = {
    "fernet_key": "AIRFLOW__CORE__FERNET_KEY",
    "jwt_secret": "AIRFLOW__API_AUTH__JWT_SECRET",
    "session_secret": "AIRFLOW__API__SECRET_KEY",
    "s3_access_key": "AWS_ACCESS_KEY_ID",
    "s3_secret_key": "AWS_SECRET_ACCESS_KEY",
    "author_key": "LMFLOW_AUTHOR_KEY",
}


def read_secrets(folder: Path) -> dict[str, str]:
    """The secrets of this service by name.

    Raises:
        SystemExit: one is empty.
    """
    found = {path.name: path.read_text().strip() for path in sorted(folder.glob("*")) if path.is_file()}
    for name, value in found.items():
        if not value:
            sys.exit(f"lmflow: the secret {name} is empty; fill in docker/.env, or make it with docker/new_env.py")
    return found


def variables(secrets: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The variables that secrets turn into; addresses of the databases come from `given`, compose's variables."""
    made = {variable: secrets[name] for name, variable in PLAIN.items() if name in secrets}
    postgres, redis = given.get("POSTGRES_ADDRESS", "postgres:5432"), given.get("REDIS_ADDRESS", "redis:6379")
    if "airflow_db_password" in secrets:
        made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = _database(postgres, "airflow", secrets["airflow_db_password"])
    if "mlflow_db_password" in secrets:
        made["MLFLOW_BACKEND_STORE_URI"] = _database(postgres, "mlflow", secrets["mlflow_db_password"])
    if "redis_password" in secrets:
        broker = f"redis://:{quote(secrets['redis_password'], safe='')}@{redis}"
        made["AIRFLOW__CELERY__BROKER_URL"] = f"{broker}/0"
        # Results in Redis too: a worker then needs no password of the database.
        made["AIRFLOW__CELERY__RESULT_BACKEND"] = f"{broker}/1"
    return made


def spark_variables(secrets: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What Spark's daemons and drivers need: a folder of settings with the secret, and the address of this container.

    A container on several networks has several addresses. The right one is the one that leads to the master.
    """
    if "spark_secret" not in secrets:
        return {}
    folder = Path(tempfile.mkdtemp(prefix="spark-conf-"))
    settings = folder / "spark-defaults.conf"
    settings.touch(mode=0o600)
    settings.write_text(f"{SPARK_DEFAULTS.read_text()}\nspark.authenticate.secret  {secrets['spark_secret']}\n")
    made = {"SPARK_CONF_DIR": str(folder)}
    master = urlsplit(given.get("LMFLOW_SPARK_MASTER", ""))
    if master.scheme == "spark" and master.hostname and master.port:
        made["SPARK_LOCAL_HOSTNAME"] = _own_address_towards(master.hostname, master.port)
    return made


def main() -> None:
    """Become the command."""
    command = sys.argv[1:]
    if not command:
        sys.exit("lmflow: no command; usage: entrypoint.py COMMAND ...")
    secrets = read_secrets(Path(os.environ.get("SECRETS_FOLDER", SECRETS)))
    os.environ.update(variables(secrets, os.environ))
    os.environ.update(spark_variables(secrets, os.environ))
    try:
        os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell
    except OSError as error:
        sys.exit(f"lmflow: cannot run {command[0]}: {error.strerror}")


def _database(address: str, name: str, password: str) -> str:
    return f"postgresql+psycopg2://{name}:{quote(password, safe='')}@{address}/{name}"


def _own_address_towards(host: str, port: int) -> str:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))  # of a datagram socket: picks a route, sends nothing
            return str(probe.getsockname()[0])
    except OSError as error:
        sys.exit(f"lmflow: the Spark master {host} is not known on this network: {error.strerror}")


if __name__ == "__main__":
    main()
