"""Which version of a model is in use, why, and since when: aliases, the gate in front of them, and the audit trail."""

from lmflow.registry.decisions import Decision, history
from lmflow.registry.versions import Version, aliases, find, model_page, nominate, place, resolve, versions

__all__ = [
    "Decision",
    "Version",
    "aliases",
    "find",
    "history",
    "model_page",
    "nominate",
    "place",
    "resolve",
    "versions",
]
