"""Where the lake lies: one place that turns a root URI into a file system, Delta storage options and Spark paths."""

from __future__ import annotations

import os
import re
from functools import cache
from urllib.parse import urlsplit

import pyarrow.fs as pafs


@cache
def filesystem(root: str) -> tuple[pafs.FileSystem, str]:
    """The Arrow file system of a root URI and the path of that root in it (no scheme, no trailing slash)."""
    parts = urlsplit(root)
    if parts.scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return pafs.S3FileSystem(endpoint_override=endpoint, region=region), f"{parts.netloc}{parts.path}".rstrip("/")
    return pafs.LocalFileSystem(), local_path(root).rstrip("/")


def local_path(root: str) -> str:
    """The path in a file:// root, as it stands: a folder's name may hold `%`, `#` and `?`."""
    return re.sub(r"^file:(//[^/]*)?", "", root)


def delta_options(root: str) -> dict[str, str]:
    """Storage options for delta-rs; credentials come from the usual AWS variables."""
    if not root.startswith("s3://"):
        return {}
    options = {"aws_conditional_put": "etag"}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        options["aws_endpoint"] = endpoint
        options["aws_allow_http"] = str(endpoint.startswith("http://")).lower()
    return options


def spark_path(uri: str) -> str:
    """The same place in the scheme Hadoop knows (s3:// becomes s3a://)."""
    return "s3a://" + uri.removeprefix("s3://") if uri.startswith("s3://") else uri
