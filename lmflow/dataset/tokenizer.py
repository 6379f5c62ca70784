"""Byte-level BPE (Sennrich et al. 2016; GPT-2's byte alphabet): every byte has a token, so nothing is ever unknown.

Fitted on the training split only. Its digest names it; a warm start keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_DOCUMENT: Final = "<|end|>"
_FILE: Final = "tokenizer.json"
_SMALLEST: Final = 257  # 256 bytes and END_OF_DOCUMENT


class ByteLevelTokenizer:
    """Text to token ids and back, without loss. Token 0 is the end of a document and never comes from text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def fit(cls, texts: Iterable[str], vocabulary: int) -> Self:
        """Learn up to `vocabulary` tokens from texts, deterministically.

        Raises:
            ValueError: the vocabulary cannot hold the 256 bytes.
        """
        if vocabulary < _SMALLEST:
            raise ValueError(f"a byte-level vocabulary needs at least {_SMALLEST} tokens, not {vocabulary}")
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[END_OF_DOCUMENT],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        # From here on a text that spells END_OF_DOCUMENT is text: the special token is no longer matched in it.
        tokenizer.encode_special_tokens = True
        return cls(tokenizer)

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return int(self._tokenizer.get_vocab_size())

    @property
    def digest(self) -> str:
        """SHA-256 of the tokenizer's definition."""
        return hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Token ids of each text, without END_OF_DOCUMENT."""
        return [np.array(encoding.ids, np.int64) for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of token ids; bytes that are no valid UTF-8 become the replacement character."""
        return str(self._tokenizer.decode([int(token) for token in tokens], skip_special_tokens=True))

    def decode_written(self, tokens: Iterable[int]) -> str:
        """The text of generated token ids, without the part of a character that the last ones may have begun."""
        return self.decode(tokens).rstrip("\N{REPLACEMENT CHARACTER}")

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`."""
        (folder / _FILE).write_text(self._tokenizer.to_str(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        tokenizer = Tokenizer.from_str((folder / _FILE).read_text(encoding="utf-8"))
        tokenizer.encode_special_tokens = True
        return cls(tokenizer)
