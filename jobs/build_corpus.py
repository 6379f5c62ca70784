"""Turn new documents into clean, deduplicated training text: documents -> verdicts, fingerprints, corpus.

Every ingest batch that has not been decided on is normalised, measured, judged by the policy of its language, freed of
private data and compared with all that came before: by canonical URL, text and likeness, and line by line if the policy
says so. Each document gets a verdict with all the rules it breaks; the kept ones enter the corpus in train, valid or
test. Incremental: what was decided before is not read again. Killed at any moment and run again, it ends in the same
state.

The JSON line: documents_in, documents_kept, documents_dropped and dropped_by_rule (a document may break several rules)
of this run; repeated_text_removed and foreign_paragraphs, if a policy asks for that; by_language {docs, chars,
words, splits} of the whole corpus as it stands afterwards; versions of the tables; run_id in MLflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from jobs.command import Options, Progress, Result, main
from jobs.corpus_spark import assess_unit, attribute_lines
from lmflow import tracking
from lmflow.corpus import contamination, report
from lmflow.corpus.admission import Admission, admit
from lmflow.corpus.contamination import Evaluations
from lmflow.corpus.dedup import Keeping, Policy
from lmflow.corpus.entries import fingerprints_of, scan
from lmflow.corpus.ledger import Ledger, Unit
from lmflow.corpus.page import page, report_file
from lmflow.corpus.policy import Policies, load
from lmflow.corpus.redecision import redecide
from lmflow.errors import InputError
from lmflow.evaluation.catalogue import evaluation_dir
from lmflow.lake import Lake, transaction_key
from lmflow.lake.lock import exclusive
from lmflow.lake.storage import filesystem

_CORPUS_COLUMNS: Final = ["lang", "split", "n_chars", "n_words"]


class BuildCorpus(Options):
    """Options of build_corpus."""

    languages: tuple[str, ...] = Field(
        ("en", "zh"), description="Languages to keep, as ISO 639 codes. Documents in others are dropped."
    )
    policy_dir: Path | None = Field(
        None,
        description="Folder of policies (<language>.yaml) used in place of the built-in ones of the same name. They "
        "may ask for more than thresholds: repeated_text takes out lines that an earlier document had, prepare changes "
        "quotes, Unicode form and paragraphs in another language, reference measures perplexity (the head of "
        "lmflow/corpus/policies/en.yaml shows each).",
    )
    split: Literal["auto", "small", "large"] = Field(
        "auto",
        description="How new documents are divided into train/valid/test: small is 80/10/10 within every language and "
        "source, large 98/1/1; auto is small below 50,000 documents.",
    )
    evaluation_dir: Path | None = Field(
        None,
        description="Folder of evaluation sets (*.txt, one text a line; *.jsonl). Documents that share 13 words in a "
        "row with one (24 characters in Chinese and other scripts without spaces) are kept out of the corpus. Default: "
        "<home>/evaluation/text, if that folder is there (LMFLOW_EVALUATION_DIR moves <home>/evaluation).",
    )
    keep: Policy = Field(
        "earliest",
        description="Which of several near copies that come together is kept. A copy in the corpus stays, but with "
        "drop_all, which keeps none of them, and a new revision holds its document's place. Articles and a user's "
        "files at one canonical URL count as copies too (duplicate_url), but with drop_all and --against.",
    )
    against: tuple[Literal["wikipedia", "news", "social", "file"], ...] = Field(
        (),
        description="Kinds of source. If given, only copies of their documents are dropped, whichever came first, and "
        "nothing else.",
    )
    redecide: bool = Field(
        False,
        description="Decide again on all that was decided before, with the policies as they are now, from stored "
        "signals. Only text that is newly admitted is read.",
    )
    samples_per_rule: int = Field(5, ge=0, le=100, description="Dropped documents shown for each rule in the report.")

    @field_validator("languages")
    @classmethod
    def _are_codes(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if not languages:
            raise ValueError("name at least one language, e.g. en zh")
        for language in languages:
            if not re.fullmatch("[a-z]{2,3}", language):
                raise ValueError(f"{language!r} is no ISO 639 code, such as en, zh, de")
        return languages

    @field_validator("policy_dir", "evaluation_dir")
    @classmethod
    def _is_a_folder(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError("no such folder")
        return folder


def run(options: BuildCorpus, progress: Progress) -> Result:
    """Decide on everything that has come since the last run."""
    policies = load(options.languages, options.policy_dir)
    folder = options.evaluation_dir or evaluation_dir() / "text"
    evaluations = contamination.load(folder) if folder.is_dir() else None
    with exclusive("build_corpus"):
        ledger = Ledger(Lake.open())
        if not ledger.documents.batches():
            raise InputError(
                f"the table documents at {ledger.documents.uri} is empty; run an ingest job first, "
                "e.g. python -m jobs.ingest_news --help"
            )
        units = ledger.units()
        if ledger.is_torn(units):
            progress.say("an interrupted run changed verdicts and not the corpus: deciding again, with these options")
            options = options.model_copy(update={"redecide": True})
        if ledger.has_old_fingerprints():
            when = "the next run reads" if any(unit.interrupted for unit in units) else "reading"
            progress.say(f"fingerprints are of an earlier version: {when} all text that passes, to compare it anew")
            options = options.model_copy(update={"redecide": True})
        if not units and not options.redecide:
            return _nothing_new(ledger, policies, evaluations)
        config = {**options.model_dump(mode="json"), "policy_digest": policies.digest}
        batches = sum(len(unit.batches) for unit in units)
        with tracking.run("lmflow/corpus", f"{batches} batches", config) as mlflow_run:
            return _build(ledger, units, policies, evaluations, options, progress, mlflow_run)


def _nothing_new(ledger: Ledger, policies: Policies, evaluations: Evaluations | None) -> Result:
    languages = report.composition(ledger.corpus.read(_CORPUS_COLUMNS))
    missing = [language for language in policies.languages if language not in languages]
    if missing:
        raise InputError(
            f"the corpus holds no document in {', '.join(missing)} and nothing new has come; ingest some, or leave the "
            "language out of --languages"
        )
    reason = "every batch of documents has been decided on"
    known = set(pc.unique(ledger.verdicts.read(["policy_digest"])["policy_digest"]).to_pylist())
    if not {policies.of(language).digest for language in policies.languages} <= known:
        reason += "; the policy has changed since: --redecide decides again on documents decided on before"
    if ledger.evaluated_by() - {evaluations.number if evaluations else None}:
        reason += "; the evaluation sets have changed since: --redecide compares documents decided on before with them"
    return {
        "status": "nothing_new",
        "reason": reason,
        **report.Account().as_dict(),
        "by_language": languages,
        "versions": _versions(ledger),
    }


def _versions(ledger: Ledger) -> dict[str, int]:
    pinned = {table.name: ledger.pinned(table) for table in (ledger.documents, ledger.verdicts, ledger.fingerprints)}
    lines = ledger.pinned(ledger.lines)
    return {**pinned, **({"lines": lines} if lines >= 0 else {}), "corpus": ledger.corpus.version()}


def _build(
    ledger: Ledger,
    units: list[Unit],
    policies: Policies,
    evaluations: Evaluations | None,
    options: BuildCorpus,
    progress: Progress,
    mlflow_run: tracking.Run,
) -> Result:
    """Work through the units, then log and return what was done."""
    account, shown = report.Account(), dict[str, Any]()
    versions: Mapping[str, int] = {}
    if options.redecide and ledger.corpus.version() >= 0 and not any(unit.interrupted for unit in units):
        versions = _redecide(ledger, policies, evaluations, options, account, progress)
    for unit in units:
        if unit.interrupted:
            progress.say(f"finishing {len(unit.batches)} batches of a run that was interrupted")
        with _scratch(ledger) as assessed, _scratch(ledger) as folder:
            lines = attribute_lines(ledger, unit, policies, folder, progress)
            repeated = None if lines is None else f"{folder}/repeated"
            rows = assess_unit(ledger, unit, policies, evaluations, assessed, repeated, progress)
            outcome = _decide(ledger, unit, rows, options, account, last=unit is units[-1])
            account.add_buckets(rows, policies)
            shown |= _samples(rows, outcome, assessed, options.samples_per_rule)
            progress.say(f"committing: {account.kept} of {account.documents_in} documents kept")
            versions = ledger.settle(
                _key(ledger, unit, policies, evaluations, options), rows, assessed, outcome, unit.documents, lines
            )
    languages = report.composition(ledger.corpus.read(_CORPUS_COLUMNS, version=versions["corpus"]))
    result = {**account.as_dict(), "by_language": languages, "versions": dict(versions), "run_id": mlflow_run.run_id}
    result["metrics"] = _metrics(account, languages)
    _log(mlflow_run, ledger, account, result, shown)
    return result


def _redecide(
    ledger: Ledger,
    policies: Policies,
    evaluations: Evaluations | None,
    options: BuildCorpus,
    account: report.Account,
    progress: Progress,
) -> Mapping[str, int]:
    """Decide again on what was decided before, and count it."""
    with _scratch(ledger) as assessed:
        keeping = Keeping(options.keep, options.against)
        regime = None if options.split == "auto" else options.split
        found = redecide(ledger, policies, assessed, evaluations, keeping, regime)
        account.add(found.unit, found.outcome)
        account.add_buckets(found.unit, policies)
        progress.say(f"decided again on {found.unit.num_rows} documents; the text of {len(found.read)} was read")
        if not any(found.outcome.kept):
            raise InputError(
                f"none of {found.unit.num_rows} documents would be kept: {account.top_rules()}; nothing done"
            )
        unit = Unit(frozenset(), False, ledger.pinned(ledger.documents))
        key = _key(ledger, unit, policies, evaluations, options)
        return ledger.settle_again(key, found.unit, assessed, found.outcome, found.members, found.lines)


@contextmanager
def _scratch(ledger: Ledger) -> Iterator[str]:
    """A folder for the length of a with-block; its URI."""
    folder = ledger.corpus.stage()
    try:
        yield folder
    finally:
        system, path = filesystem(folder)
        system.delete_dir(path)


def _key(ledger: Ledger, unit: Unit, policies: Policies, evaluations: Evaluations | None, options: BuildCorpus) -> str:
    return transaction_key(
        "build_corpus",
        batches=sorted(unit.batches),
        corpus=ledger.corpus.version(),
        policies=policies.digest,
        split=options.split,
        keep=options.keep,
        against=sorted(options.against),
        evaluations=evaluations.digest if evaluations else "",
    )


def _decide(
    ledger: Ledger, unit: Unit, rows: pa.Table, options: BuildCorpus, account: report.Account, last: bool
) -> Admission:
    """Decide on an assessed unit and check the accounts; refuses to leave an empty corpus behind."""
    before = ledger.before(rows)
    regime = None if options.split == "auto" else options.split
    keeping = Keeping(options.keep, options.against)
    outcome = admit(rows, fingerprints_of(rows), before, regime, keeping)
    account.add(rows, outcome)
    account.check(account.documents_in - rows.num_rows + ledger.count(unit))
    if last:
        leaving = outcome.superseded.keys() | outcome.withdrawn.keys()
        staying = {member.lang for name, member in before.members.items() if name not in leaving}
        present = staying | {lang for lang, kept in zip(rows["lang"].to_pylist(), outcome.kept, strict=True) if kept}
        if not present:
            raise InputError(
                f"none of {account.documents_in} documents was kept: {account.top_rules()}; change --languages or give "
                "your own --policy-dir"
            )
        missing = [language for language in options.languages if language not in present]
        if missing:
            raise InputError(
                f"no document in {', '.join(missing)} was kept (of {account.documents_in}: {account.top_rules()}); "
                "ingest some, or leave the language out of --languages"
            )
    return outcome


def _samples(rows: pa.Table, outcome: Admission, assessed: str, per_rule: int) -> dict[str, Any]:
    texts = scan(assessed, ["batch_id", "doc_id", "revision", "title", "text"])
    return report.samples(rows, outcome, texts, per_rule)


def _metrics(account: report.Account, languages: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    metrics: dict[str, float] = {
        "documents_in": account.documents_in,
        "documents_kept": account.kept,
        "documents_dropped": account.dropped,
    }
    for language, counts in languages.items():
        metrics |= {f"corpus_documents_{language}": counts["docs"], f"corpus_chars_{language}": counts["chars"]}
    return metrics


def _log(
    mlflow_run: tracking.Run,
    ledger: Ledger,
    account: report.Account,
    result: Mapping[str, Any],
    shown: Mapping[str, Any],
) -> None:
    """Metrics, the picture, the report as JSON and as a page, and the versions of the tables read and written."""
    mlflow_run.log_metrics(result["metrics"])
    mlflow_run.log_metrics({f"dropped.{rule}": number for rule, number in account.by_rule.items()})
    picture = mlflow_run.log_figure(report.figure(account, result["by_language"]), "plots/corpus.png")
    html = page(result, shown, picture)
    mlflow_run.log_text(html, "report.html")
    report_file().parent.mkdir(parents=True, exist_ok=True)
    report_file().write_text(html, encoding="utf-8")
    mlflow_run.log_dict({**result, "samples": shown}, "report.json")
    mlflow_run.set_tags({f"lmflow.{name}_version": version for name, version in result["versions"].items()})
    for table, context in ((ledger.documents, "input"), (ledger.corpus, "output")):
        version = result["versions"][table.name]
        mlflow_run.log_dataset(table.name, table.uri, f"version-{version}", context, result["by_language"], version)


if __name__ == "__main__":
    main(BuildCorpus, run, __doc__)
