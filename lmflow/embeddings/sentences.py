"""A corpus as a file of sentences: one paragraph a line, words separated by spaces, which is what gensim streams.

Written once to local disk, by as many processes as there are cores, and read by as many threads; memory does not grow
with the corpus.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lmflow.embeddings.wording import Wording
from lmflow.errors import InputError

#: gensim cuts a longer line silently (gensim.models.word2vec.MAX_WORDS_IN_BATCH); we cut it ourselves.
LONGEST_SENTENCE = 10_000
#: Text that one process segments at a time: a third of a second of work.
BLOCK_CHARS = 8_000_000


@dataclass(frozen=True)
class Sentences:
    """A file of sentences and what is in it.

    Args:
        path: UTF-8, one sentence a line.
        documents: documents that gave at least one word.
        sentences: lines written.
        words: words written.
        digest: SHA-256 of the file, which identifies the training text.
    """

    path: Path
    documents: int
    sentences: int
    words: int
    digest: str

    def profile(self) -> dict[str, object]:
        """What is worth reading beside a run: the counts and the digest."""
        return {name: value for name, value in asdict(self).items() if name != "path"}


class _Block(NamedTuple):
    """Some documents as lines, and what is in them."""

    lines: bytes
    documents: int
    sentences: int
    words: int


def write_sentences(
    documents: Iterable[str], lang: str, path: Path, workers: int = 1, wording: Wording | None = None
) -> Sentences:
    """Segment documents into words and write them, a paragraph a line.

    The file is the same for any number of workers.

    Args:
        documents: texts, streamed; lines of a text are its paragraphs.
        lang: ISO 639 code; decides the segmentation.
        path: file to write.
        workers: processes that segment. A corpus below `BLOCK_CHARS` characters is segmented in this one.
        wording: how a text becomes words; by default lower-cased words without punctuation.

    Raises:
        InputError: not one word was found.
    """
    digest = hashlib.sha256()
    n_documents = n_sentences = n_words = 0
    with path.open("wb") as file:
        for block in _segmented(_blocks(documents), lang, workers, wording or Wording()):
            file.write(block.lines)
            digest.update(block.lines)
            n_documents += block.documents
            n_sentences += block.sentences
            n_words += block.words
    if not n_words:
        raise InputError(f"there is no {lang} text to learn embeddings from: bring documents in that language first")
    return Sentences(path, n_documents, n_sentences, n_words, digest.hexdigest())


def text_lines(document: str, lang: str, wording: Wording) -> Iterator[list[str]]:
    """The words of each paragraph, in lists of at most `LONGEST_SENTENCE`."""
    for paragraph in document.splitlines():
        tokens = wording.words(paragraph, lang)
        for start in range(0, len(tokens), LONGEST_SENTENCE):
            yield tokens[start : start + LONGEST_SENTENCE]


def _segment(documents: list[str], lang: str, wording: Wording) -> _Block:
    lines: list[str] = []
    n_documents = n_words = 0
    for document in documents:
        before = n_words
        for tokens in text_lines(document, lang, wording):
            lines.append(" ".join(tokens) + "\n")
            n_words += len(tokens)
        n_documents += n_words > before
    return _Block("".join(lines).encode("utf-8", "replace"), n_documents, len(lines), n_words)


def _blocks(documents: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    size = 0
    for document in documents:
        block.append(document)
        size += len(document)
        if size >= BLOCK_CHARS:
            yield block
            block, size = [], 0
    if block:
        yield block


def _segmented(blocks: Iterator[list[str]], lang: str, workers: int, wording: Wording) -> Iterator[_Block]:
    """Blocks in their order; at most two a worker are in memory."""
    first = list(block for _, block in zip(range(2), blocks, strict=False))
    blocks = chain(first, blocks)
    if workers == 1 or len(first) < 2:
        yield from (_segment(block, lang, wording) for block in blocks)
        return
    # Not fork: the parent may have threads (MLflow, Arrow).
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[_Block]] = deque()
        for block in blocks:
            waiting.append(pool.submit(_segment, block, lang, wording))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def copy_sentences(source: Path, path: Path) -> Sentences:
    """Take a plain file as it is: one sentence a line, words separated by white space, case kept.

    A line longer than gensim takes (text8 is one line of 100 MB) is cut into several.

    Args:
        source: file to read.
        path: file to write.

    Raises:
        InputError: the file is missing, not UTF-8, or holds no word.
    """
    digest = hashlib.sha256()
    n_sentences = n_words = 0
    try:
        with source.open("rb") as reading, path.open("wb") as writing:
            for tokens in _cut_lines(reading):
                line = (" ".join(tokens) + "\n").encode()
                writing.write(line)
                digest.update(line)
                n_sentences += 1
                n_words += len(tokens)
    except OSError as error:
        raise InputError(f"--train-file {source}: {error.strerror or error}; give a readable text file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"--train-file {source} is not UTF-8 ({error.reason}); convert it first") from None
    if not n_words:
        raise InputError(f"--train-file {source} holds no words; give a text file with one sentence a line")
    return Sentences(path, n_sentences, n_sentences, n_words, digest.hexdigest())


def _cut_lines(file: BinaryIO, block_bytes: int = 1 << 20) -> Iterator[list[str]]:
    """The words of each line, in lists of at most `LONGEST_SENTENCE`; no line is ever held whole."""
    rest = b""
    while block := file.readline(block_bytes):
        block, rest = rest + block, b""
        if len(block) >= block_bytes and not block.endswith(b"\n"):
            whole = block.rfind(b" ") + 1
            block, rest = (block[:whole], block[whole:]) if whole else (block, b"")
        tokens = block.decode().split()
        for start in range(0, len(tokens), LONGEST_SENTENCE):
            yield tokens[start : start + LONGEST_SENTENCE]
    if rest:
        yield rest.decode().split()
