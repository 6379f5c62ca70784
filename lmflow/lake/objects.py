"""Raw objects (dumps, pages, shards) beside the tables: write once, atomically, on file:// or s3://."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from lmflow.errors import InputError
from lmflow.lake.storage import local_path
from lmflow.settings import settings


@dataclass(frozen=True)
class Stored:
    """One object: its key, its bytes, and when it was written, in seconds since 1970."""

    key: str
    size: int
    modified: float


class Objects:
    """Objects by key under the lake's root. A reader never sees half an object."""

    def __init__(self, root: str) -> None:
        self._root = root
        parts = urlsplit(root)
        self._s3 = parts.scheme == "s3"
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")

    def uri(self, key: str) -> str:
        """Where `key` lies, as a URI."""
        return f"{self._root}/{key}"

    def put(self, key: str, content: bytes | Path) -> str:
        """Store bytes, or a local file, under `key`; replaces what was there in one step. Returns the URI."""
        if self._s3:
            self._cached(key).unlink(missing_ok=True)
            if isinstance(content, Path):
                self._client.upload_file(str(content), self._bucket, self._key(key))
            else:
                self._client.put_object(Bucket=self._bucket, Key=self._key(key), Body=content)
            return self.uri(key)
        with self.writing(key) as path:
            if isinstance(content, Path):
                shutil.copyfile(content, path)
            else:
                path.write_bytes(content)
        return self.uri(key)

    def take(self, key: str, path: Path) -> str:
        """Store a local file under `key` and have it here no more: renamed where that is possible. Returns the URI.

        On S3 the file becomes what this host's cache holds of the object: nothing is fetched back.
        """
        if self._s3:
            self.put(key, path)
            target = self._cached(key)
        else:
            target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # another disk
                raise
            if not self._s3:
                self.put(key, path)
            path.unlink()
        return self.uri(key)

    @contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """A local file to write within; it is stored under `key` in one step where the block ends without an error.

        On a disk it lies beside its place and is renamed: nothing is written twice.
        """
        target = self._cached(key) if self._s3 else self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            yield partial
            if self._s3:
                self.put(key, partial)
                return
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        """The whole object.

        Raises:
            InputError: there is no such object.
        """
        return self.local(key).read_bytes()

    def fresh(self, key: str) -> bytes:
        """The whole object as it is now, for what other hosts change: never from this host's cache.

        Raises:
            InputError: there is no such object.
        """
        if self._s3:
            self._cached(key).unlink(missing_ok=True)
        return self.get(key)

    def sweep(self, prefix: str) -> None:
        """Remove what killed writers left half-written in the folder `prefix`; nobody may be writing there.

        On S3 nothing of an upload that ended early is an object; what is removed lies in this host's cache.
        """
        for partial in (self._cached(prefix) if self._s3 else self._path(prefix)).glob(".*.*"):
            partial.unlink(missing_ok=True)

    def open(self, key: str) -> IO[bytes]:
        """A seekable binary file over the object."""
        return self.local(key).open("rb")

    def exists(self, key: str) -> bool:
        """Whether `key` is stored."""
        if not self._s3:
            return self._path(key).is_file()
        return any(found == key for found in self.list(key))

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that start with `prefix`, sorted."""
        return (stored.key for stored in self.stored(prefix))

    def stored(self, prefix: str) -> Iterator[Stored]:
        """The objects whose keys start with `prefix`, sorted by them."""
        if self._s3:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key(prefix)
            )
            strip = len(self._prefix) + 1 if self._prefix else 0
            for page in pages:
                for item in page.get("Contents", []):
                    yield Stored(item["Key"][strip:], int(item["Size"]), item["LastModified"].timestamp())
            return
        root = self._path("")
        folder = self._path(prefix)
        if prefix.endswith("/") and not folder.is_dir():
            return
        folder = folder if folder.is_dir() else folder.parent
        names = (str(path.relative_to(root)) for path in folder.rglob("*") if path.is_file())
        for name in sorted(name for name in names if name.startswith(prefix) and "/." not in f"/{name}"):
            stat = self._path(name).stat()
            yield Stored(name, stat.st_size, stat.st_mtime)

    def local(self, key: str) -> Path:
        """A local file with the object's content (on S3: downloaded once into the cache).

        Raises:
            InputError: there is no such object.
        """
        if not self._s3:
            path = self._path(key)
            if not path.is_file():
                raise InputError(f"no object {self.uri(key)}; run the job that makes it")
            return path
        cached = self._cached(key)
        if not cached.is_file():
            cached.parent.mkdir(parents=True, exist_ok=True)
            partial = cached.with_name(f".{cached.name}.{uuid.uuid4().hex}")
            try:
                self._client.download_file(self._bucket, self._key(key), str(partial))
            except self._client.exceptions.ClientError as error:
                raise InputError(f"no object {self.uri(key)} ({error})") from None
            partial.replace(cached)
        return cached

    def delete(self, key: str) -> None:
        """Remove an object, here and from this host's cache; nothing happens when it is not there."""
        if self._s3:
            self._cached(key).unlink(missing_ok=True)
            self._client.delete_object(Bucket=self._bucket, Key=self._key(key))
            return
        self._path(key).unlink(missing_ok=True)

    def _cached(self, key: str) -> Path:
        return settings().home / "cache" / self._bucket / self._key(key)

    def _path(self, key: str) -> Path:
        return Path(local_path(self._root)) / key

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    @cached_property
    def _client(self) -> Any:
        import boto3

        return cast(Any, boto3.client("s3"))
