"""Word pairs that occur together far more often than apart, joined into one word: new york -> new_york.

gensim's Phrases with the score of Mikolov et al. 2013, section 4: (n(ab) - min_count) / (n(a) n(b)) x vocabulary.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from lmflow.embeddings.sentences import Sentences

_MIN_COUNT: Final = 5
_THRESHOLD: Final = 10.0  # gensim's default
_MOST_COUNTED: Final = 10_000_000  # words and pairs counted at a time, about 1 GB; the rarest are forgotten beyond


def join_phrases(sentences: Sentences, path: Path) -> Sentences:
    """Write the sentences again with phrases joined by `_`.

    Args:
        sentences: what to read, twice; streamed.
        path: file to write.

    Returns:
        the new file; it has fewer words.
    """
    from gensim.models.phrases import Phrases
    from gensim.models.word2vec import LineSentence

    lines = LineSentence(str(sentences.path))
    found = Phrases(lines, min_count=_MIN_COUNT, threshold=_THRESHOLD, max_vocab_size=_MOST_COUNTED).freeze()
    digest = hashlib.sha256()
    n_words = 0
    with path.open("wb") as file:
        for tokens in lines:
            joined = found[tokens]
            line = (" ".join(joined) + "\n").encode()
            file.write(line)
            digest.update(line)
            n_words += len(joined)
    return replace(sentences, path=path, words=n_words, digest=digest.hexdigest())
