"""Text to token ids and back, fitted on the training split only. Its digest names a tokenizer; a warm start keeps it.

- bpe: byte-level BPE (Sennrich et al. 2016; GPT-2's byte alphabet). Every byte has a token: nothing is ever unknown.
- unigram: pieces of a unigram model (Kudo 2018) over the same byte alphabet.
- whitespace: the words of published benchmarks, as their files divide them; the rest is `<unk>`. Ids follow the order
  of frequency. END_OF_DOCUMENT is their `<eos>`: one a line, where each line is a document.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from lmflow.dataset.utf8 import WholeCharacters, states_after

END_OF_DOCUMENT: Final = "<|end|>"
UNKNOWN: Final = "<unk>"
_LINE_END: Final = "\n"  # END_OF_DOCUMENT among words: no word between blanks is spelled like that
#: What a registered model ships to read its tokenizer.
MODULES: Final = ("lmflow.dataset.tokenizer", "lmflow.dataset.utf8")
Kind = Literal["bpe", "unigram", "whitespace"]
_FILE: Final = "tokenizer.json"
_ADDED_APART: Final = 1e-4  # between the scores of bytes that the unigram trainer adds
_SCORE_DIGITS: Final = 6
_SMALLEST: Final = 257  # 256 bytes and END_OF_DOCUMENT


class TextTokenizer:
    """Text to token ids and back. Token 0 is the end of a document and never comes from text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def fit(cls, texts: Iterable[str], vocabulary: int, kind: Kind = "bpe") -> Self:
        """Learn up to `vocabulary` tokens from texts, deterministically.

        Raises:
            ValueError: the vocabulary cannot hold the 256 bytes (whitespace: the two special tokens).
        """
        tokenizer = _words(texts, vocabulary) if kind == "whitespace" else _pieces(texts, vocabulary, kind)
        # From here on a text that spells END_OF_DOCUMENT is text: the special token is no longer matched in it.
        tokenizer.encode_special_tokens = True
        return cls(tokenizer)

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return int(self._tokenizer.get_vocab_size())

    @property
    def kind(self) -> Kind:
        """How it divides text."""
        kinds: dict[str, Kind] = {"BPE": "bpe", "Unigram": "unigram", "WordLevel": "whitespace"}
        return kinds[type(self._tokenizer.model).__name__]

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

    def words(self) -> list[str]:
        """How each token is spelled in the tokenizer's own alphabet, by id."""
        return [str(self._tokenizer.id_to_token(number)) for number in range(self.size)]

    def whole_characters(self) -> WholeCharacters | None:
        """What may follow in a text that has whole characters only; None where a token is a word, and always has."""
        return None if self.kind == "whitespace" else WholeCharacters(self._states_after)

    @cached_property
    def _states_after(self) -> NDArray[np.int8]:
        spelled = [b"" if number == 0 else _bytes_of(word) for number, word in enumerate(self.words())]
        return states_after(spelled)

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`."""
        (folder / _FILE).write_text(self._tokenizer.to_str(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        tokenizer = Tokenizer.from_str((folder / _FILE).read_text(encoding="utf-8"))
        tokenizer.encode_special_tokens = True
        return cls(tokenizer)


@cache
def _byte_alphabet() -> dict[str, int]:
    """GPT-2's alphabet: a byte that can be printed is itself, the others are characters from 256 on, in order."""
    printed = {chr(byte): byte for byte in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))}
    others = [byte for byte in range(256) if byte not in printed.values()]
    return printed | {chr(256 + place): byte for place, byte in enumerate(others)}


def _bytes_of(word: str) -> bytes:
    alphabet = _byte_alphabet()
    return bytes(alphabet[character] for character in word)


def _pieces(texts: Iterable[str], vocabulary: int, kind: Kind) -> Tokenizer:
    """Byte-level BPE or unigram pieces."""
    if vocabulary < _SMALLEST:
        raise ValueError(f"a byte-level vocabulary needs at least {_SMALLEST} tokens, not {vocabulary}")
    tokenizer = Tokenizer(models.BPE() if kind == "bpe" else models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    train = trainers.BpeTrainer if kind == "bpe" else trainers.UnigramTrainer
    trainer = train(
        vocab_size=vocabulary,
        special_tokens=[END_OF_DOCUMENT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if kind == "unigram":
        tokenizer.model = _settled(tokenizer)
    return tokenizer


def _settled(tokenizer: Tokenizer) -> models.Unigram:
    """The unigram model with what hash order decided in it settled: `tokenizers` 0.23 gives other scores each time.

    Bytes that the pieces lack get the lowest score, plus 0.0001 for each in the order of a hash table (its trainer's
    `finalize`); sums differ in their last digits with the order of summation, and so does the order of equal pieces.
    """
    (end, *pieces) = json.loads(tokenizer.to_str())["model"]["vocab"]
    lowest = min(score for _, score in pieces)
    highest_added = lowest + _ADDED_APART * len(pre_tokenizers.ByteLevel.alphabet())
    scores = {
        piece: round(lowest if len(piece) == 1 and score <= highest_added else score, _SCORE_DIGITS)
        for piece, score in pieces
    }
    ordered = sorted(scores.items(), key=lambda each: (-each[1], each[0]))
    return models.Unigram([tuple(end), *ordered])


def _words(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """The most frequent words between blanks; equally frequent ones in the order of their characters."""
    if vocabulary < len((_LINE_END, UNKNOWN)):
        raise ValueError(f"a vocabulary of words needs at least <eos> and {UNKNOWN}, not {vocabulary} token")
    counts = Counter(word for text in texts for word in text.split())
    words = sorted(counts, key=lambda word: (-counts[word], word))
    kept = [_LINE_END, UNKNOWN, *(word for word in words if word != UNKNOWN)][:vocabulary]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(kept)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([_LINE_END])
    return tokenizer
