"""Values that options of several jobs have: languages, and pairs NAME=NUMBER."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from jobs.command import Several

Source = Literal["wikipedia", "news", "social", "file"]


def _code(given: Any) -> Any:
    """One name for all the languages that are given, as a list or in one string."""
    if not isinstance(given, (str, list, tuple)):
        return given
    words = [given] if isinstance(given, str) else given
    languages = {part for word in words for part in re.split(r"[\s,-]+", str(word)) if part}
    for language in sorted(languages):
        if not re.fullmatch("[a-z]{2,3}", language):
            raise ValueError(f"{language!r} is no ISO 639 code, such as en, zh, de")
    if not languages:
        raise ValueError("name at least one language, e.g. en or zh")
    return "-".join(sorted(languages))


def _pairs(given: Any) -> Any:
    if not isinstance(given, (list, tuple)):
        return given
    pairs: dict[str, str] = {}
    for word in given:
        name, equals, value = str(word).partition("=")
        if not equals:
            raise ValueError(f"{word!r} is no pair such as news=2")
        pairs[name] = value
    return pairs


def _judged(name: str) -> str:
    if name.startswith("tokenizer-"):
        raise ValueError("nobody judges tokenizers; name a model such as lm-en or embeddings-zh")
    return name


#: A registered model that has a champion: lm-<lang>, embeddings-<lang> and, of task heads, <task>-<lang>.
JudgedModel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*-[a-z-]+$"), AfterValidator(_judged)]
#: What names datasets and models of one language, `en`, or of several, `en-zh`: from `--lang en zh` or `--lang en,zh`.
Languages = Annotated[str, BeforeValidator(_code), Several()]
#: How often documents are read, on average.
SourceWeights = Annotated[dict[Source, Annotated[float, Field(ge=0, le=16)]], BeforeValidator(_pairs)]
LanguageWeights = Annotated[dict[str, Annotated[float, Field(ge=0, le=16)]], BeforeValidator(_pairs)]
SourceCounts = Annotated[dict[Source, Annotated[int, Field(ge=1)]], BeforeValidator(_pairs)]
SourceDays = Annotated[dict[Source, Annotated[float, Field(gt=0, le=36_500)]], BeforeValidator(_pairs)]
