"""The lake: Delta tables and raw objects under one root, on file:// or s3://."""

from __future__ import annotations

from functools import cached_property

from lmflow.lake.objects import Objects
from lmflow.lake.tables import Commit, Table, transaction_key
from lmflow.settings import settings

__all__ = ["Commit", "Lake", "Objects", "Table", "transaction_key"]


class Lake:
    """Tables and objects under one root.

    Example:
        >>> lake = Lake.open()
        >>> lake.table("corpus").read(columns=["doc_id", "split"])
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    @classmethod
    def open(cls) -> Lake:
        """The lake of this installation (setting `lake`)."""
        return cls(settings().lake)

    def table(self, name: str) -> Table:
        """A table by its fixed name: documents, verdicts, fingerprints, lines, corpus, fetches, tombstones."""
        return Table(self.root, name)

    @cached_property
    def objects(self) -> Objects:
        """Raw objects, under `<root>/objects`."""
        return Objects(f"{self.root}/objects")
