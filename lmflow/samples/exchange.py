"""The parts of HTTP that every sample site needs: validators, conditional and partial requests, compression."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import Any

GZIP_MIN_BYTES = 512

_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
_COMPRESSIBLE = ("text/", "application/json", "application/rss+xml", "application/xml")


@dataclass(frozen=True)
class Response:
    """What a site answers, before the request's headers have had their say (`deliver`)."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    modified: datetime | None = None
    ranges: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(value: Any, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """`value` as JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(body, "application/json; charset=utf-8", status, headers=headers or {})


def not_found() -> Response:
    """The page for an address that leads nowhere."""
    return Response(b"<!DOCTYPE html><title>404 Not Found</title><h1>404 Not Found</h1>\n", status=HTTPStatus.NOT_FOUND)


def http_date(moment: datetime) -> str:
    """As in Last-Modified: Mon, 31 Dec 2001 16:00:00 GMT."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def deliver(response: Response, request: Mapping[str, str]) -> Response:
    """Answer a request by its headers (RFC 9110), names in Title-Case: 200, perhaps gzipped, 206, 304 or 416."""
    if response.status != HTTPStatus.OK:
        return response
    etag = f'"{hashlib.sha1(response.body, usedforsecurity=False).hexdigest()[:20]}"'
    headers = {**response.headers, "ETag": etag}
    if response.modified:
        headers["Last-Modified"] = http_date(response.modified)
    if response.ranges:
        headers["Accept-Ranges"] = "bytes"
    response = replace(response, headers=headers)
    if _is_fresh(response, etag, request):
        return replace(response, status=HTTPStatus.NOT_MODIFIED, body=b"")
    if response.ranges and "Range" in request and request.get("If-Range", etag) in (etag, headers.get("Last-Modified")):
        return _partial(response, request["Range"])
    return _compressed(response, etag, request)


def _is_fresh(response: Response, etag: str, request: Mapping[str, str]) -> bool:
    if "If-None-Match" in request:
        known = [tag.strip().removeprefix("W/") for tag in request["If-None-Match"].split(",")]
        return etag in known or "*" in known
    if response.modified and "If-Modified-Since" in request:
        try:
            return response.modified.replace(microsecond=0) <= parsedate_to_datetime(request["If-Modified-Since"])
        except (TypeError, ValueError):  # not a date, or one without a time zone: the header is ignored
            return False
    return False


def _partial(response: Response, wanted: str) -> Response:
    """One byte range; several ranges, or another unit, get the whole, which RFC 9110 allows."""
    found = _RANGE.match(wanted)
    if not found or found.groups() == ("", ""):
        return response
    size = len(response.body)
    if found[1]:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
    else:
        first, last = max(size - int(found[2]), 0), size - 1
    if first >= size or last < first:
        headers = {**response.headers, "Content-Range": f"bytes */{size}"}
        return replace(response, status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, body=b"", headers=headers)
    headers = {**response.headers, "Content-Range": f"bytes {first}-{last}/{size}"}
    return replace(response, status=HTTPStatus.PARTIAL_CONTENT, body=response.body[first : last + 1], headers=headers)


def _compressed(response: Response, etag: str, request: Mapping[str, str]) -> Response:
    if len(response.body) < GZIP_MIN_BYTES or not response.content_type.startswith(_COMPRESSIBLE):
        return response
    headers = {**response.headers, "Vary": "Accept-Encoding"}
    codings = [coding.split(";")[0].strip() for coding in request.get("Accept-Encoding", "").split(",")]
    if "gzip" not in codings:
        return replace(response, headers=headers)
    headers |= {"Content-Encoding": "gzip", "ETag": f"W/{etag}"}
    return replace(response, body=gzip.compress(response.body, 6, mtime=0), headers=headers)
