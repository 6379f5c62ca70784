"""A real S3 server for jobs whose input or lake lies there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from lmflow.lake.storage import filesystem
from tests.conftest import free_port


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A client of a real S3 server on loopback, which the environment names to jobs and their processes."""
    port = free_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    filesystem.cache_clear()
    log = (tmp_path / "s3.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
    )
    try:
        client: Any = boto3.client("s3")
        for _ in range(300):
            try:
                client.create_bucket(Bucket="dumps")
                break
            except EndpointConnectionError:
                time.sleep(0.2)
        yield client
    finally:
        server.kill()
        server.wait()
        filesystem.cache_clear()
