"""Every setting, in one place. Each is read from the environment as LMFLOW_<NAME>, or from `.env` in the project."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lmflow.errors import InputError

PROJECT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """What a person may set. Defaults make the demo run on one machine, listening on loopback only."""

    model_config = SettingsConfigDict(env_prefix="LMFLOW_", env_file=PROJECT / ".env", extra="ignore", frozen=True)

    home: Path = Field(PROJECT / ".lmflow", description="All state of a local installation lives here.")
    lake: str = Field("", description="Root of the lake: file:///path or s3://bucket/prefix. Default: <home>/lake.")

    host: str = Field("127.0.0.1", description="Address the local services bind.")
    airflow_port: int = Field(8080, ge=1, le=65535)
    mlflow_port: int = Field(5000, ge=1, le=65535)
    samples_port: int = Field(8770, ge=1, le=65535)
    serving_port: int = Field(8790, ge=1, le=65535)
    dags: Path = Field(PROJECT / "dags", description="The DAG files that the local Airflow reads.")
    airflow_password: SecretStr = Field(
        SecretStr(""), description="Password of Airflow's user `admin`. Default: made once, kept in <home>."
    )
    mlflow_uri: str = Field("", description="MLflow tracking server. Default: the local one that `make up` starts.")
    mlflow_links: str = Field("", description="Where a browser finds MLflow, for links. Default: the same address.")
    samples_url: str = Field("", description="The embedded sample sites. Default: the server that `make up` starts.")

    spark_master: str = Field("local[*]", description="local[N], spark://host:7077, yarn or k8s://…")
    spark_driver_memory: str = Field("1g", description="Memory of the Spark driver (and of everything in local mode).")
    spark_java_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        description="Options of the Spark driver's JVM. Default: quick to start. Many cores and gigabytes in local "
        "mode want Java's own instead: set it to nothing.",
    )

    evaluation_dir: Path | None = Field(
        None, description="Where word tests lie that may not be shipped. Default: <home>/evaluation."
    )

    sources: Path = Field(PROJECT / "sources.yaml", description="The list of sites to crawl.")
    user_agent: str = Field("lmflow/0.1", description="How the crawler names itself.")
    contact: str = Field("", description="An address or URL where a site owner reaches you; sent in the User-Agent.")
    private_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "localhost"),
        description="Hosts the crawler may fetch although their address is private, separated by commas.",
    )
    nameservers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Name servers of the crawl, address:port, by commas. Default: the system's resolver."
    )
    ca_file: Path | None = Field(None, description="Certificates (PEM) the crawl trusts. Default: certifi's.")
    author_key: SecretStr = Field(
        SecretStr(""), description="Key of the hash that stands for an author. Default: made once, kept in <home>."
    )

    retrain_schedule: str = Field("@weekly", description="Schedule of the retrain DAG: cron, a preset, or `none`.")

    @field_validator("private_hosts", "nameservers", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("lake")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("file", "s3"):
            raise ValueError("must start with file:// or s3://")
        return value.rstrip("/")

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, values: dict[str, object]) -> dict[str, object]:
        home = Path(str(values.get("home") or PROJECT / ".lmflow")).resolve()
        host = values.get("host") or "127.0.0.1"
        mlflow = f"http://{host}:{values.get('mlflow_port') or 5000}"
        derived = {
            "home": home,
            "lake": f"file://{home}/lake",
            "mlflow_uri": mlflow,
            "mlflow_links": values.get("mlflow_uri") or mlflow,
            "samples_url": f"http://{host}:{values.get('samples_port') or 8770}",
        }
        return {**values, **{name: value for name, value in derived.items() if not values.get(name) or name == "home"}}

    @property
    def project(self) -> Path:
        """The checkout this code runs from."""
        return PROJECT


@cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        InputError: a variable holds a value that cannot be used; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "LMFLOW_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InputError(f"setting {name} = {first['input']!r}: {first['msg']}") from None
