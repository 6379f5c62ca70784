"""What flows between DAGs, by name: a DAG may be scheduled on these, and their events carry versions and counts."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias

WIKIPEDIA = Asset("lmflow://documents/wikipedia")
NEWS = Asset("lmflow://documents/news")
SOCIAL = Asset("lmflow://documents/social")
CORPUS = Asset("lmflow://corpus")
#: Updated when a champion does significantly worse on fresh documents than on those it was promoted by.
DRIFT = Asset("lmflow://drift")
#: Updated when so many documents joined the corpus since a model was trained that another training is called for.
GROWTH = Asset("lmflow://growth")

#: Stands for `lmflow://models/<name>`: which model a mapped task made is known only when it has run.
MODELS = AssetAlias("lmflow://models")


def model_asset(name: str) -> Asset:
    """The asset of one registered model, e.g. lm-en."""
    return Asset(f"lmflow://models/{name}")
