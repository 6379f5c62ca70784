"""Warm start: a training goes on from a registered version, on documents that came after it and a share of old ones.

A network keeps the version's weights and its tokenizer, and reads new text and replayed text only: its cost follows the
new text. An n-gram model holds probabilities and no counts, so there is nothing to add to: it is counted again over all
text, old and new, with the version's tokenizer. Either way the new version is compared with the old one on the
documents that were held out before, and it is said when it is worse there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.command import Progress, digest
from jobs.network_training import preset_name
from lmflow import registry
from lmflow.dataset import replay, store
from lmflow.dataset.shards import SPLITS, Dataset, Document
from lmflow.dataset.tokenizer import TextTokenizer
from lmflow.errors import InputError
from lmflow.evaluation.compression import bits_per_byte, compare
from lmflow.evaluation.scores import document_nats
from lmflow.lake import Lake
from lmflow.lake.lock import exclusive
from lmflow.models.contract import LanguageModel
from lmflow.models.mixture import Mixture
from lmflow.registry.versions import CHAMPION, Version, version
from lmflow.training import registration
from lmflow.training.recipes import RECIPES

if TYPE_CHECKING:
    from jobs.train_language_model import TrainLanguageModel

#: What --warm-start takes: the champion, the champion or else the newest of the family, or a version by name.
ORIGIN: Final = r"^(champion|newest|models:/lm-[a-z-]+(/\d+|@\w+))$"
#: The highest learning rate of a warm start, as a share of the recipe's (benchmarks/language_models/warm_start.py).
RATE: Final = 0.1


@dataclass(frozen=True)
class Continuation:
    """What a warm start goes on from, and with.

    Attributes:
        origin: the registered version.
        model: its network; of a mixture the part of this family.
        options: of the job, with the shape of the origin and a lower learning rate where none was given.
        dataset: what to read, in the origin's tokens.
        held_before: which documents of the test split the origin's corpus held out too. Shape [documents].
        read: how many documents are new, and how many are replayed.
    """

    origin: Version
    model: LanguageModel
    options: TrainLanguageModel
    dataset: Dataset
    held_before: NDArray[np.bool_]
    read: Mapping[str, int]


def origin_of(options: TrainLanguageModel) -> Version | None:
    """The version to go on from; None where `newest` finds none.

    Raises:
        InputError: there is no such version, or it is of another family.
    """
    name, asked = f"lm-{options.lang}", str(options.warm_start)
    aliases = registry.aliases(name)
    if asked == "newest":
        mine: list[Version] = [each for each in registry.versions(name) if _is_of(each, options.architecture)]
        champions = [each for each in mine if each.version == aliases.get(CHAMPION)]
        return next(iter(champions or mine[::-1]), None)
    model, number, alias = _named(asked, name)
    if model != name:
        raise InputError(f"--warm-start {asked}: that is no model of --lang {options.lang}")
    if alias is not None and alias not in aliases:
        raise InputError(f"--warm-start: {name} has no {alias}; train and promote a model first, or say newest")
    found = version(name, aliases[alias] if alias is not None else int(number or 0))
    if not _is_of(found, options.architecture):
        family = found.tags.get("architecture", "unknown")
        raise InputError(f"--warm-start {found.uri} is of {family}, not {options.architecture}; say newest")
    return found


def prepare(origin: Version, options: TrainLanguageModel, latest: Dataset, progress: Progress) -> Continuation | None:
    """Pack what to read in the origin's tokens; None when no document is new.

    Args:
        origin: from `origin_of`.
        options: of the job.
        latest: the newest dataset of the language: what is old and new in it is told by its batches.
        progress: told how much is read.
    """
    lake = Lake.open()
    before = _batches(lake, origin)
    batch_of = _batch_of(lake, latest, options.lang)
    train, test = latest.split("train"), latest.split("test")
    new = np.array([batch_of.get(doc_id) not in before for doc_id in train.doc_ids])
    if not new.any():
        return None
    model, tokenizer = registration.load_whole(origin.uri)
    if isinstance(model, Mixture) and "+" not in options.architecture:
        model = model.neural if options.architecture != "ngram" else model.ngram
    if options.architecture == "ngram":  # counted over all text: see above
        read = np.ones_like(new)
    else:
        read = replay.select(train.doc_ids, train.n_bytes, new, options.replay, origin.uri)
    facts = {"new_documents": int(new.sum()), "replayed_documents": int((read & ~new).sum())}
    progress.say(
        f"going on from {origin.uri}: {facts['new_documents']:,} new documents, {facts['replayed_documents']:,} old"
    )
    lineage = {**latest.manifest["lineage"], "warm_start": origin.uri, "based_on": latest.digest, **facts}
    with exclusive(f"dataset_{options.lang}"):
        dataset = _packed(lake, options.lang, latest, read, tokenizer, lineage)
    held_before = np.array([batch_of.get(doc_id) in before for doc_id in test.doc_ids])
    return Continuation(origin, model, _completed(options, origin), dataset, held_before, facts)


def against_origin(found: Continuation, model: LanguageModel) -> tuple[dict[str, float], str]:
    """The new model against its origin on what was held out before: metrics, and what to say of them."""
    if not found.held_before.any():
        return {}, f"nothing that {found.origin.uri} was held from is left to compare with it"
    n_bytes = found.dataset.split("test").n_bytes[found.held_before]
    nats, before = (document_nats(each, found.dataset, "test")[found.held_before] for each in (model, found.model))
    gap = compare(nats, before, n_bytes).difference
    metrics = {
        "old_held_out_bits_per_byte": bits_per_byte(nats, n_bytes).value,
        "old_held_out_bits_per_byte_origin": bits_per_byte(before, n_bytes).value,
        "old_held_out_difference": gap.value,
        "old_held_out_difference_low": gap.low,
        "old_held_out_difference_high": gap.high,
    }
    sure = "" if gap.low > 0 or gap.high < 0 else ", which may be chance"
    return metrics, (
        f"{'WORSE' if gap.value > 0 else 'no worse'} than {found.origin.uri} on the {len(n_bytes):,} documents held "
        f"out before: {gap.value:+.4f} bits per byte ({gap.low:+.4f} to {gap.high:+.4f}){sure}"
    )


def _named(asked: str, name: str) -> tuple[str, str | None, str | None]:
    """Model, version number and alias of what was asked for."""
    if asked == "champion":
        return name, None, CHAMPION
    matched = re.match(r"models:/([a-z-]+)(?:/(\d+)|@(\w+))$", asked)
    if matched is None:
        raise InputError(f"--warm-start {asked}: say champion, newest, or e.g. models:/{name}/3")
    return matched[1], matched[2], matched[3]


def _is_of(found: Version, architecture: str) -> bool:
    """Whether a version is of a family, or a mixture that has it as a part."""
    family = found.tags.get("architecture", "")
    return architecture == family or architecture in family.split("+")


def _batches(lake: Lake, origin: Version) -> set[int]:
    made_from = origin.tags.get("corpus_version", "")
    if not made_from.isdigit():
        raise InputError(f"--warm-start {origin.uri} was not trained on the corpus: nothing says what is new since")
    return lake.table("corpus").batches(int(made_from))


def _batch_of(lake: Lake, latest: Dataset, lang: str) -> dict[str, int]:
    version = int(latest.manifest["lineage"]["corpus_version"])
    rows = lake.table("corpus").read(["doc_id", "batch_id"], pc.field("lang").isin(lang.split("-")), version)
    return dict(zip(rows["doc_id"].to_pylist(), rows["batch_id"].to_pylist(), strict=True))


def _packed(
    lake: Lake, lang: str, latest: Dataset, read: NDArray[np.bool_], tokenizer: TextTokenizer, lineage: dict[str, Any]
) -> Dataset:
    """The documents of `latest` that are to be read, and all that are held out, in the tokens of `tokenizer`."""
    if read.all() and latest.tokenizer.digest == tokenizer.digest:
        return latest
    given = [latest.digest, lineage["warm_start"], tokenizer.digest, hashlib.sha256(read.tobytes()).hexdigest()]
    key = digest(given)
    found = store.find(lake, lang, key)
    if found is not None:
        return found
    splits = {name: _documents(latest, name, read if name == "train" else None) for name in SPLITS}
    return store.build(lake, lang, key, splits, tokenizer.size, lineage, tokenizer.kind, frozen=tokenizer)


def _documents(dataset: Dataset, name: str, read: NDArray[np.bool_] | None) -> list[Document]:
    """The text of a split; its tokens are of bytes, so that they give it back as it was."""
    split, seen, found = dataset.split(name), dict[str, int](), list[Document]()
    for place, (ids, doc_id, lang) in enumerate(zip(split.documents(), split.doc_ids, split.langs, strict=True)):
        copy = seen[doc_id] = seen.get(doc_id, -1) + 1
        if read is None or read[place]:
            found.append(Document(doc_id, dataset.tokenizer.decode(ids), lang, copy))
    return found


def _completed(options: TrainLanguageModel, origin: Version) -> TrainLanguageModel:
    """The options with the shape of the origin and a learning rate for going on, where they were not given."""
    if options.architecture == "ngram":
        return options
    tags: dict[str, Any] = {"preset": origin.tags.get("preset"), "dimension": origin.tags.get("dimension")}
    if tags["dimension"] is not None:
        tags["dimension"] = int(tags["dimension"])
    update = {name: value for name, value in tags.items() if getattr(options, name) is None}
    shaped = options.model_copy(update=update)
    if shaped.learning_rate is None:
        shaped = shaped.model_copy(update={"learning_rate": RATE * RECIPES[preset_name(shaped)].learning_rate})
    return shaped
