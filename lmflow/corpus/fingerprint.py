"""MinHash fingerprints: what is stored of a document so that later ones can be compared with it unread.

112 hashes of 5-unit shingles in 14 bands of 8 rows, as FineWeb has them: two documents whose shingle sets have Jaccard
similarity s meet in a band with probability 1-(1-s^8)^14 (0.92 at s = 0.8, 0.5 at 0.67). A unit is a folded word, or a
single character of a script without spaces: for Chinese, shingles are 5 characters of the text without its spaces and
punctuation (see `lmflow.text.shingles`). A document of fewer than 5 units has no shingle and no bands: only its exact
text is compared, so that short texts do not all share one signature. Digits are 0 in shingles and as they are in the
key of the text: tables and reports that differ in their numbers are alike, and not the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import rensa
from numpy.typing import NDArray

from lmflow.text.shingles import SHINGLE_UNITS, folded, without_digits

HASHES: Final = 112
BANDS: Final = 14
ROWS: Final = HASHES // BANDS
_SEED: Final = 1
#: Keys in the column `bands`: that of the whole folded text, then one a band.
KEYS: Final = 1 + BANDS

_BASE: Final = np.uint64(0x9E3779B97F4A7C15)  # odd; 2^64 divided by the golden ratio
_FNV_PRIME: Final = np.uint64(0x100000001B3)
_MOST_REMEMBERED_UNITS: Final = 1_000_000


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of n documents, column by column.

    Attributes:
        n_shingles: int64 [n], distinct shingles; 0 for a document too short to have one.
        signatures: uint32 [n, 112]; zeros where there are no shingles.
        keys: int64 [n, 15]: the key of the folded text, then the band keys; those are 0 where there are no shingles.
    """

    n_shingles: NDArray[np.int64]
    signatures: NDArray[np.uint32]
    keys: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.n_shingles)

    def take(self, order: Sequence[int] | NDArray[np.int64]) -> Fingerprints:
        """The documents at these places, in this order."""
        index = np.asarray(order, dtype=np.int64)
        return Fingerprints(self.n_shingles[index], self.signatures[index], self.keys[index])


def joined(one: Fingerprints, other: Fingerprints) -> Fingerprints:
    """The fingerprints of some documents and, behind them, of others."""
    return Fingerprints(
        np.concatenate([one.n_shingles, other.n_shingles]),
        np.concatenate([one.signatures, other.signatures]),
        np.concatenate([one.keys, other.keys]),
    )


class _UnitHashes(dict[str, int]):
    """64-bit hashes of units, digits being 0, each computed once; the same in every process and version of Python."""

    def __missing__(self, unit: str) -> int:
        if len(self) >= _MOST_REMEMBERED_UNITS:
            self.clear()
        self[unit] = value = _hash64(without_digits(unit).encode("utf-8", "surrogatepass"))
        return value


_UNIT_HASHES: Final = _UnitHashes()


def fingerprint(texts: Sequence[str]) -> Fingerprints:
    """Fingerprints of clean texts. A text's own do not depend on the others."""
    n_shingles = np.zeros(len(texts), np.int64)
    keys = np.zeros((len(texts), KEYS), np.int64)
    hashed: list[NDArray[np.uint64]] = []
    for row, text in enumerate(texts):
        found = folded(text)
        keys[row, 0] = np.uint64(_hash64(" ".join(found).encode("utf-8", "surrogatepass"))).astype(np.int64)
        shingles = run_hashes(found, SHINGLE_UNITS)
        n_shingles[row] = len(shingles)
        hashed.append(shingles)
    signatures = _signatures(hashed)
    has_bands = n_shingles > 0
    keys[has_bands, 1:] = _band_keys(signatures[has_bands])
    return Fingerprints(n_shingles, signatures, keys)


def _hash64(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def run_hashes(found: Sequence[str], n: int) -> NDArray[np.uint64]:
    """Distinct sorted hashes of all runs of n units: a polynomial in the units' hashes, modulo 2^64."""
    count = len(found) - n + 1
    if count < 1:
        return np.empty(0, np.uint64)
    hashes = np.fromiter(map(_UNIT_HASHES.__getitem__, found), np.uint64, len(found))
    rolled = hashes[:count].copy()
    for offset in range(1, n):
        rolled *= _BASE
        rolled += hashes[offset : offset + count]
    rolled.sort()
    first = np.ones(count, np.bool_)
    np.not_equal(rolled[1:], rolled[:-1], out=first[1:])
    return rolled[first]


def _signatures(hashed: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint32]:
    signatures = np.zeros((len(hashed), HASHES), np.uint32)
    rows = [row for row, shingles in enumerate(hashed) if len(shingles)]
    if rows:
        flat = np.concatenate([hashed[row] for row in rows])
        ends = np.cumsum([0, *(len(hashed[row]) for row in rows)], dtype=np.uint64)
        matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, ends, HASHES, _SEED)
        signatures[rows] = np.array(matrix.to_rows(), np.uint32)
    return signatures


def _band_keys(signatures: NDArray[np.uint32]) -> NDArray[np.int64]:
    """One 64-bit key a band (FNV-1a over its rows, begun with the band's number)."""
    rows = signatures.reshape(-1, BANDS, ROWS).astype(np.uint64)
    keys = np.broadcast_to(np.arange(1, BANDS + 1, dtype=np.uint64) * _BASE, rows.shape[:2]).copy()
    for row in range(ROWS):
        keys ^= rows[:, :, row]
        keys *= _FNV_PRIME
        keys ^= keys >> np.uint64(29)
    return keys.view(np.int64)
