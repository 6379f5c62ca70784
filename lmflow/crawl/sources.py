"""The sites to crawl are data: `sources.yaml`, validated here. Adding a feed is editing that file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lmflow.errors import InputError
from lmflow.settings import settings

_VARIABLE = re.compile(r"\$\{([A-Z_]+)\}")


class Source(BaseModel):
    """What every site has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Unique; what --source takes.")
    lang: str = Field(pattern=r"^[a-z]{2,3}(-[a-z]+)*$", description="Language of the site, e.g. en, zh.")
    enabled: bool = Field(True, description="Whether it is crawled when no --source is given.")
    license: str = Field(min_length=1, description="Licence of the texts, kept with every document.")
    terms: str = Field("", description="Where the site says what may be done with them.")
    rate: float = Field(1.0, gt=0, le=1000, description="Requests a second to the host, at most.")
    concurrency: int = Field(1, ge=1, le=16, description="Requests at once to the host, at most.")


class NewsSource(Source):
    """A site with a feed (RSS, Atom, JSON Feed) or a sitemap."""

    feed: str = Field(description="URL of the feed, news sitemap or sitemap index.")
    revisit_hours: float = Field(24.0, ge=0, description="A page that is still listed is asked again after this long.")

    @field_validator("feed")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return _web_address(value)


class SocialSource(Source):
    """A server that speaks Mastodon's API, Hacker News, or dumps of Reddit or a Stack Exchange site."""

    kind: Literal["mastodon", "hackernews", "reddit", "stackexchange"] = Field(
        "mastodon", description="What it speaks; reddit and stackexchange are read from dumps."
    )
    api: str = Field("", description="mastodon, hackernews: base URL of the server.")
    dump: tuple[str, ...] = Field(
        (), description="reddit, stackexchange: files (.zst, .xml, .7z): paths, https:// or s3://."
    )
    site: str = Field("", pattern=r"^[a-z0-9.-]*$", description="Dumps: host of the site, part of identities.")
    recheck: int = Field(100, ge=0, le=4000, description="Stored posts asked for again each time, in turn; 0 for none.")
    timeline: str = Field("public", pattern=r"^(public|tag/[\w]+)$", description="public, or tag/<hashtag>.")
    local: bool = Field(True, description="Only posts written on this server.")
    first_items: int = Field(4000, ge=1, description="How far back the first crawl of a timeline goes.")

    @property
    def is_dump(self) -> bool:
        """Whether it is read from files."""
        return self.kind in ("reddit", "stackexchange")

    @field_validator("api")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return _web_address(value).rstrip("/") if value else ""

    @model_validator(mode="after")
    def _has_its_place(self) -> Self:
        if self.is_dump and not (self.dump and self.site):
            raise ValueError(f"a {self.kind} source needs `dump` (its files) and `site` (its host)")
        if not self.is_dump and not self.api:
            raise ValueError(f"a {self.kind} source needs `api`, the base URL of its server")
        return self


class WikipediaSource(Source):
    """A language edition on a dump site."""

    wiki: str = Field("", pattern=r"^([a-z_]+wiki)?$", description="Database name if it is not <lang>wiki.")
    site: str = Field("https://dumps.wikimedia.org", description="Dump site or mirror; <lang>wiki/ is appended.")
    rate: float = Field(1.0, gt=0, le=1000)
    concurrency: int = Field(2, ge=1, le=2, description="Wikimedia asks for at most two connections.")

    @field_validator("site")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return _web_address(value).rstrip("/")


class Sources(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wikipedia: tuple[WikipediaSource, ...] = ()
    news: tuple[NewsSource, ...] = ()
    social: tuple[SocialSource, ...] = ()


Kind = Literal["wikipedia", "news", "social"]
SourceT = TypeVar("SourceT", bound=Source)


def load(path: Path | None = None) -> Sources:
    """Read the file (default: the setting `sources`).

    Raises:
        InputError: it is missing, not YAML, or a field is wrong; the message names the place.
    """
    path = path or settings().sources
    try:
        data = yaml.load(_expand(path.read_text(encoding="utf-8")), yaml.CSafeLoader)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; set LMFLOW_SOURCES to your list of sites") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    try:
        sources = Sources.model_validate(data or {})
    except ValidationError as error:
        first = error.errors()[0]
        place = _place(data, first["loc"])
        raise InputError(f"{path}: {place}: {first['msg']} (got {first['input']!r})"[:500]) from None
    names = [source.name for group in (sources.wikipedia, sources.news, sources.social) for source in group]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"{path}: the name {doubled[0]!r} is used twice; names must be unique")
    return sources


def choose(sources: Iterable[SourceT], names: Iterable[str], kind: Kind) -> list[SourceT]:
    """The named sources, or all that are enabled when none is named.

    Raises:
        InputError: an unknown name, or nothing to crawl.
    """
    known = {source.name: source for source in sources}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise InputError(f"--source {name}: no {kind} source of that name; there are {', '.join(known) or 'none'}")
    chosen = [known[name] for name in wanted] if wanted else [source for source in known.values() if source.enabled]
    if not chosen:
        raise InputError(f"no {kind} source is enabled in {settings().sources}; enable one, or name one with --source")
    return chosen


def _expand(text: str) -> str:
    """Replace ${LMFLOW_SAMPLES_URL} and other settings by their values."""

    def value(match: re.Match[str]) -> str:
        name = match[1].removeprefix("LMFLOW_").lower()
        if not match[1].startswith("LMFLOW_") or name not in ("samples_url",):
            raise InputError(
                f"{settings().sources}: ${{{match[1]}}} is unknown; only ${{LMFLOW_SAMPLES_URL}} is replaced"
            )
        return str(getattr(settings(), name))

    return _VARIABLE.sub(value, text)


def _web_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value


def _place(data: Any, location: tuple[int | str, ...]) -> str:
    """`news, aljazeera, feed` rather than `news.3.feed`."""
    words: list[str] = []
    for step in location:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            data = None
        words.append(
            str(data["name"]) if isinstance(step, int) and isinstance(data, dict) and "name" in data else str(step)
        )
    return ", ".join(words)
