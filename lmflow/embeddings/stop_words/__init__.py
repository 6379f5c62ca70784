"""Stop words by language, one file each: function words that say little of what a text is about. Written for lmflow.

They are longer than the lists of `lmflow.corpus.policies`, which say what running text cannot do without, and serve
the embedding branch alone: cleaning and language models keep every word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lmflow.errors import InputError

_FOLDER: Final = Path(__file__).parent


def stop_words(lang: str, file: Path | None = None) -> frozenset[str]:
    """The stop words of a language, lower-cased.

    Args:
        lang: ISO 639 code.
        file: UTF-8, words at white space, `#` begins a line of remarks; the built-in list by default.

    Raises:
        InputError: there is no such list, or it cannot be read.
    """
    path = file or _FOLDER / f"{lang}.txt"
    if file is None and not path.is_file():
        there = ", ".join(sorted(found.stem for found in _FOLDER.glob("*.txt")))
        raise InputError(f"there are no stop words for {lang!r} (there are: {there}); give your own --stop-words-file")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--stop-words-file {path}: {error}; give a readable UTF-8 file") from None
    return frozenset(word for line in lines if not line.startswith("#") for word in line.lower().split())
