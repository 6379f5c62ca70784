"""Thresholds on signals, as data: one YAML file a language, validated, with a digest that every verdict carries.

A policy only compares numbers that `signals.measure` has taken, so that a changed threshold needs no text to be read
again. `decide` lists all rules a document fails, never just the first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lmflow.corpus.foreign import FOREIGN, ForeignParagraphs
from lmflow.corpus.language import Detected
from lmflow.corpus.preparation import Preparation
from lmflow.corpus.reference import PERPLEXITY, Reference, ReferenceModel
from lmflow.corpus.repeats import REPEATED_TEXT, Unit, removed_share
from lmflow.corpus.signals import SIGNALS, Traits
from lmflow.errors import InputError

BUILT_IN: Final = Path(__file__).parent / "policies"
#: The kinds of sources a policy may treat in their own way (the column `source` of the table documents).
SOURCES: Final = ("wikipedia", "news", "social", "file")
#: The rule that a document breaks when it is in none of the configured languages.
LANGUAGE_RULE: Final = "language"


class Failure(NamedTuple):
    """A rule that a document broke: the value it had, and the threshold it had to keep."""

    rule: str
    value: float
    threshold: float


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bound(_Model):
    """One side of what is allowed."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Bound:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give at_least or at_most, one of the two")
        return self


class Rule(Bound):
    """A bound on one signal."""

    signal: str

    @model_validator(mode="after")
    def _known_signal(self) -> Rule:
        known = (*SIGNALS, *FOREIGN, *PERPLEXITY)
        if self.signal not in known:
            raise ValueError(f"no signal {self.signal!r}; there are {', '.join(known)}")
        return self

    def check(self, name: str, value: float) -> Failure | None:
        """The failure, if `value` is out of bounds."""
        if self.at_least is not None:
            return Failure(name, value, self.at_least) if value < self.at_least else None
        assert self.at_most is not None  # noqa: S101 - the validator has seen to it
        return Failure(name, value, self.at_most) if value > self.at_most else None


class RepeatedText(_Model):
    """Parts that another document had first are taken out (see `repeats`).

    Attributes:
        unit: what is compared, a line (cc_net) or a paragraph (lines up to an empty one).
        at_most: share of a document's characters that may go; of one that loses more, nothing is kept. What is left of
            the others must still keep every rule, `too_few_words` above all.
    """

    unit: Unit
    at_most: float = Field(0.8, ge=0, lt=1)


class Policy(_Model):
    """What is asked of documents in one language.

    Attributes:
        language: ISO 639 code, or `default` for languages without a file of their own.
        stop_words: function words that running text of the language cannot do without.
        terminal_punctuation: characters that end a sentence.
        short_line_chars: a line of at most so many characters is short.
        rules: by name, what is asked of every document.
        sources: for a kind of source, other bounds for some rules; null switches a rule off.
        repeated_text: if given, lines or paragraphs that another document had first are taken out.
        prepare: if given, what is changed in a text before it is measured.
        reference: if given, the model under which the perplexity of a text is measured.
    """

    language: str
    stop_words: tuple[str, ...] = ()
    terminal_punctuation: str
    short_line_chars: int = Field(30, ge=1)
    rules: dict[str, Rule]
    sources: dict[str, dict[str, Bound | None]] = {}
    repeated_text: RepeatedText | None = None
    prepare: Preparation | None = None
    reference: Reference | None = None

    @model_validator(mode="after")
    def _overrides_name_rules(self) -> Policy:
        for source, overrides in self.sources.items():
            if source not in SOURCES:
                raise ValueError(f"no kind of source {source!r}; there are {', '.join(SOURCES)}")
            unknown = overrides.keys() - self.rules.keys()
            if unknown:
                raise ValueError(f"sources.{source} changes rules that do not exist: {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="after")
    def _signals_are_measured(self) -> Policy:
        for name, rule in self.rules.items():
            if rule.signal in FOREIGN and self.foreign_paragraphs is None:
                raise ValueError(f"rules.{name}: {rule.signal} is measured with prepare.foreign_paragraphs only")
            if rule.signal in PERPLEXITY and self.reference is None:
                raise ValueError(f"rules.{name}: {rule.signal} is measured with a reference model only")
        return self

    @property
    def foreign_paragraphs(self) -> ForeignParagraphs | None:
        """What is done with paragraphs in another language."""
        return self.prepare.foreign_paragraphs if self.prepare else None

    @cached_property
    def digest(self) -> str:
        """What identifies this policy: 16 hex digits of SHA-256 over all of its content."""
        # Without the options that are off: a new one must not make old verdicts look decided by another policy.
        return _digest({name: value for name, value in self.model_dump(mode="json").items() if value is not None})

    @cached_property
    def _rules_by_source(self) -> dict[str, dict[str, Rule]]:
        by_source = {}
        for source in SOURCES:
            rules = dict(self.rules)
            for name, bound in self.sources.get(source, {}).items():
                if bound is None:
                    del rules[name]
                else:
                    rules[name] = Rule(signal=rules[name].signal, **bound.model_dump())
            by_source[source] = rules
        return by_source

    @cached_property
    def _bounds_by_source(self) -> dict[str, NDArray[np.float64] | None]:
        return {source: _bounds(rules) for source, rules in {**self._rules_by_source, "": self.rules}.items()}

    def bounds_for(self, source: str) -> NDArray[np.float64] | None:
        """Least and largest allowed value of all SIGNALS: float64 [2, signals]; None if a rule is on another one."""
        return self._bounds_by_source.get(source, self._bounds_by_source[""])

    def rules_for(self, source: str) -> Mapping[str, Rule]:
        """The rules with the overrides of a kind of source; the plain rules for an unknown kind."""
        return self._rules_by_source.get(source, self.rules)


class Policies:
    """The policies of all languages, with the languages that are wanted.

    Args:
        languages: ISO 639 codes; documents in others break the rule `language`.
        by_language: policies by language code; must hold `default`.
        models: the reference models of those policies that name one.
    """

    def __init__(
        self,
        languages: Sequence[str],
        by_language: Mapping[str, Policy],
        models: Mapping[str, ReferenceModel] | None = None,
    ) -> None:
        self.languages = tuple(dict.fromkeys(languages))
        self._by_language = dict(by_language)
        self._models = dict(models or {})
        self._traits: dict[str, Traits] = {}
        self._stop_words_of_others: dict[str, list[frozenset[str]]] = {}

    def of(self, lang: str) -> Policy:
        """The policy of a language; `default` where it has none of its own."""
        return self._by_language.get(lang) or self._by_language["default"]

    def traits(self, lang: str) -> Traits:
        """What measuring needs to know of a language."""
        if lang not in self._traits:
            policy = self.of(lang)
            self._traits[lang] = Traits(
                lang, frozenset(policy.stop_words), policy.terminal_punctuation, policy.short_line_chars
            )
        return self._traits[lang]

    def model(self, lang: str) -> ReferenceModel | None:
        """The reference model of a language, if its policy names one."""
        return self._models.get(self.of(lang).language)

    def stop_words_of_others(self, lang: str) -> list[frozenset[str]]:
        """The stop words of each other language that are none in this one."""
        if lang not in self._stop_words_of_others:
            own = self.of(lang).stop_words
            others = [policy for name, policy in self._by_language.items() if name != lang]
            self._stop_words_of_others[lang] = [frozenset(policy.stop_words).difference(own) for policy in others]
        return self._stop_words_of_others[lang]

    @property
    def repeated_units(self) -> dict[str, Unit | None]:
        """By language, and for `default`, what is compared with earlier documents and taken out."""
        return {
            lang: policy.repeated_text.unit if policy.repeated_text else None
            for lang, policy in self._by_language.items()
        }

    @property
    def digest(self) -> str:
        """What identifies the wanted languages and every policy together."""
        return _digest(
            {
                "languages": sorted(self.languages),
                "policies": {lang: policy.digest for lang, policy in sorted(self._by_language.items())},
            }
        )


def decide(detected: Detected, signals: Mapping[str, float], source: str, policies: Policies) -> list[Failure]:
    """All rules that a document breaks, in the order of the policy file; none means that it is kept.

    A language that is not wanted breaks the rule `language` (value 0: none of the wanted ones, threshold 1: one of
    them); the other rules are those of the document's own language.
    """
    failures = []
    if detected.lang not in policies.languages:
        failures.append(Failure(LANGUAGE_RULE, 0.0, 1.0))
    policy = policies.of(detected.lang)
    if policy.repeated_text:
        share = removed_share(signals, policy.repeated_text.unit)
        if share > policy.repeated_text.at_most:
            failures.append(Failure(REPEATED_TEXT, share, policy.repeated_text.at_most))
    for name, rule in policy.rules_for(source).items():
        failure = rule.check(name, signals[rule.signal])
        if failure:
            failures.append(failure)
    return failures


def decide_all(
    detected: Sequence[Detected],
    signals: NDArray[np.float64],
    extras: Sequence[Mapping[str, float]],
    sources: Sequence[str],
    policies: Policies,
) -> list[list[Failure]]:
    """What `decide` says of each of many documents.

    Args:
        detected: their languages.
        signals: SIGNALS of each, float64 [documents, signals].
        extras: by name, signals that only some have.
        sources: kinds of source.
        policies: of all languages.
    """
    alike: dict[tuple[str, str], list[int]] = {}
    for row, (its, source) in enumerate(zip(detected, sources, strict=True)):
        alike.setdefault((its.lang, source), []).append(row)
    found: list[list[Failure]] = [[] for _ in detected]
    for (lang, source), rows in alike.items():
        bounds = None if policies.of(lang).repeated_text else policies.of(lang).bounds_for(source)
        if lang in policies.languages and bounds is not None:  # most keep every bound and need no second look
            values = signals[rows]
            broken = ((values < bounds[0]) | (values > bounds[1])).any(axis=1)
            rows = [row for row, its in zip(rows, broken.tolist(), strict=True) if its]
        for row in rows:
            named = {**dict(zip(SIGNALS, signals[row].tolist(), strict=True)), **extras[row]}
            found[row] = decide(detected[row], named, source, policies)
    return found


def _bounds(rules: Mapping[str, Rule]) -> NDArray[np.float64] | None:
    names = list(SIGNALS)
    bounds = np.full((2, len(names)), [[-np.inf], [np.inf]])
    for rule in rules.values():
        if rule.signal not in SIGNALS:
            return None
        at = names.index(rule.signal)
        if rule.at_least is not None:
            bounds[0, at] = max(bounds[0, at], rule.at_least)
        if rule.at_most is not None:
            bounds[1, at] = min(bounds[1, at], rule.at_most)
    return bounds


def load(languages: Sequence[str], folder: Path | None = None) -> Policies:
    """The built-in policies, with those of `folder` in place of the built-in ones of the same name.

    Raises:
        InputError: no languages, no such folder, or a file that does not say what a policy must; names file and key.
    """
    if not languages:
        raise InputError("no language is wanted; name at least one, e.g. --languages en zh")
    files = {path.stem: path for path in sorted(BUILT_IN.glob("*.yaml"))}
    if folder is not None:
        own = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
        if not own:
            raise InputError(f"no policy (*.yaml) in {folder}; copy one from {BUILT_IN} and change it")
        files |= own
    policies = {name: _read(path) for name, path in files.items()}
    models = {
        name: ReferenceModel.load(files[name].parent / policy.reference.model)
        for name, policy in policies.items()
        if policy.reference
    }
    return Policies(languages, policies, models)


def _read(path: Path) -> Policy:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        policy = Policy.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"policy {path}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "file"
        raise InputError(f"policy {path}: {key}: {str(first['msg']).removeprefix('Value error, ')}") from None
    if policy.language != path.stem:
        raise InputError(f"policy {path}: language: says {policy.language!r}, but the file is {path.stem}.yaml")
    if policy.reference:
        file = path.parent / policy.reference.model
        if not file.is_file():
            raise InputError(f"policy {path}: reference.model: there is no file {file}")
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        return policy.model_copy(update={"reference": policy.reference.model_copy(update={"sha256": sha256})})
    return policy


def _digest(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
