"""A whole embedding in one file without code: words, vectors, counts and n-grams as safetensors. Shipped in models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lmflow.embeddings.subwords import Subwords
from lmflow.embeddings.vectors import WordVectors
from lmflow.embeddings.wording import Wording

_FORMAT: Final = "lmflow-embedding-1"


@dataclass(frozen=True)
class Embedding:
    """Vectors and what is known of their words.

    Args:
        vectors: the vectors.
        counts: occurrences of each word in the training text, shape [words].
        lang: ISO 639 code; decides how a text is cut into words.
        wording: what else decides it.
    """

    vectors: WordVectors
    counts: NDArray[np.int64]
    lang: str
    wording: Wording = field(default_factory=Wording)

    def save(self, path: Path) -> None:
        """Write tensors `words` (UTF-8 bytes, a word a line), `vectors`, `counts`, and of n-grams if there are any."""
        from safetensors.numpy import save_file

        tensors = {
            "words": np.frombuffer("\n".join(self.vectors.words).encode(), np.uint8),
            "vectors": np.ascontiguousarray(self.vectors.matrix, np.float32),
            "counts": np.ascontiguousarray(self.counts, np.int64),
        }
        facts = {"format": _FORMAT, "lang": self.lang, **self.wording.facts()}
        if (subwords := self.vectors.subwords) is not None:
            tensors |= {"subword_buckets": subwords.buckets, "subword_vectors": np.ascontiguousarray(subwords.matrix)}
            facts |= {name: str(getattr(subwords, name)) for name in ("min_n", "max_n", "bucket")}
        save_file(tensors, path, facts)

    @classmethod
    def load(cls, path: Path) -> Embedding:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is not an embedding.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:
                facts = file.metadata() or {}
                if facts.get("format") != _FORMAT:
                    raise ValueError(f"{path} is not an embedding (format {facts.get('format')!r})")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except SafetensorError as error:
            raise ValueError(f"{path} is not in the safetensors format ({error})") from None
        subwords = None
        if "subword_buckets" in tensors:
            sizes = {name: int(facts[name]) for name in ("min_n", "max_n", "bucket")}
            subwords = Subwords(**sizes, buckets=tensors["subword_buckets"], matrix=tensors["subword_vectors"])
        words = tuple(tensors["words"].tobytes().decode().split("\n"))
        vectors = WordVectors(words, tensors["vectors"], subwords)
        return cls(vectors, tensors["counts"], facts["lang"], Wording.of(facts))
