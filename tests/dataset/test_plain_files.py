"""Files of published benchmarks are divided as the papers do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmflow.dataset import plain_files
from lmflow.dataset.tokenizer import TextTokenizer

WORDS = st.lists(st.sampled_from(["the", "N", "<unk>", "café", "猫", "a.", "</s>", "<|end|>"]), max_size=8).map(
    " ".join
)


def pack(folder: Path, train: str, test: str, vocabulary: int = 100) -> plain_files.Dataset:
    files = {"train": train, "valid": test, "test": test}
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return plain_files.pack({name: folder / f"{name}.txt" for name in files}, vocabulary, "whitespace")


def test_every_line_is_followed_by_eos_and_unknown_words_are_one_token(tmp_path: Path) -> None:
    dataset = pack(tmp_path, " the cat sat \n\n the <unk> sat \n", "the dog sat\n= a title =\n")
    assert dataset.tokenizer.words() == ["\n", "<unk>", "sat", "the", "cat"]
    assert dataset.split("train").tokens.tolist() == [3, 4, 2, 0, 0, 3, 1, 2, 0]
    assert dataset.split("test").tokens.tolist() == [3, 1, 2, 0, 1, 1, 1, 1, 0]
    assert dataset.running


@pytest.mark.parametrize("damage", [lambda shard: shard.write_bytes(b"?"), lambda shard: shard.unlink()])
def test_a_damaged_folder_is_packed_anew(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    whole = pack(tmp_path, "the cat sat\n", "the dog sat\n")
    tokens = whole.split("train").tokens.tolist()
    damage(whole.folder / "train.tokens.npy")
    again = pack(tmp_path, "the cat sat\n", "the dog sat\n")
    (again.folder / "manifest.json").write_text("")
    again = pack(tmp_path, "the cat sat\n", "the dog sat\n")
    assert (again.digest, again.split("train").tokens.tolist()) == (whole.digest, tokens)


def test_a_smaller_vocabulary_keeps_the_most_frequent_words(tmp_path: Path) -> None:
    dataset = pack(tmp_path, "b b b a a c\n", "a b c\n", vocabulary=4)
    assert dataset.tokenizer.words() == ["\n", "<unk>", "b", "a"]
    assert dataset.split("test").tokens.tolist() == [3, 2, 1, 0]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, min_size=1, max_size=9))
def test_tokens_are_words_and_lines_and_decode_to_the_words(tmp_path: Path, lines: list[str]) -> None:
    text = "".join(line + "\n" for line in lines)
    split = (dataset := pack(tmp_path, text, text)).split("test")
    assert len(split.tokens) == len(text.split()) + len(lines)
    assert int(np.count_nonzero(split.tokens == 0)) == len(lines)
    assert [dataset.tokenizer.decode(ids) for ids in split.documents()] == [" ".join(line.split()) for line in lines]


def test_unigram_pieces_lose_nothing_either() -> None:
    texts = ["The cat sees the dog. " * 4, "猫は犬を見る。"] * 20
    tokenizer = TextTokenizer.fit(texts, 300, "unigram")
    assert [tokenizer.decode(ids) for ids in tokenizer.encode(["a new 猫 \N{CAT FACE}\n <|end|>"])] == [
        "a new 猫 \N{CAT FACE}\n <|end|>"
    ]
