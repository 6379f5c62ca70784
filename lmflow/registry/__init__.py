"""Which version of a model is in use, why, and since when: aliases, the gate in front of them, and the audit trail."""

from lmflow.registry.versions import Version, aliases, find, nominate, versions

__all__ = ["Version", "aliases", "find", "nominate", "versions"]
