"""Which byte-level tokens may follow each other in UTF-8, so that what a model writes holds whole characters only.

An automaton over bytes (Unicode 16, table 3-7): its state is what is missing of the character that was begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_REFUSED: Final = -1
#: Between characters; 1 to 3 bytes missing; and the second byte after E0, ED, F0 and F4, which not all bytes can be.
_BETWEEN, _ONE, _TWO, _THREE, _AFTER_E0, _AFTER_ED, _AFTER_F0, _AFTER_F4 = range(8)
#: (state, first byte, last byte, state after)
_MOVES: Final = (
    (_BETWEEN, 0x00, 0x7F, _BETWEEN),
    (_BETWEEN, 0xC2, 0xDF, _ONE),
    (_BETWEEN, 0xE1, 0xEF, _TWO),
    (_BETWEEN, 0xE0, 0xE0, _AFTER_E0),
    (_BETWEEN, 0xED, 0xED, _AFTER_ED),
    (_BETWEEN, 0xF1, 0xF3, _THREE),
    (_BETWEEN, 0xF0, 0xF0, _AFTER_F0),
    (_BETWEEN, 0xF4, 0xF4, _AFTER_F4),
    (_ONE, 0x80, 0xBF, _BETWEEN),
    (_TWO, 0x80, 0xBF, _ONE),
    (_THREE, 0x80, 0xBF, _TWO),
    (_AFTER_E0, 0xA0, 0xBF, _ONE),
    (_AFTER_ED, 0x80, 0x9F, _ONE),
    (_AFTER_F0, 0x90, 0xBF, _TWO),
    (_AFTER_F4, 0x80, 0x8F, _TWO),
)


def states_after(spelled: Sequence[bytes]) -> NDArray[np.int8]:
    """The state after each token in each state, below 0 where the token cannot follow. Shape [states, tokens].

    Args:
        spelled: the bytes of each token. One without bytes ends a text: it may stand between characters only.
    """
    moves = np.full((_AFTER_F4 + 1, 256), _REFUSED, np.int8)
    for state, first, last, after in _MOVES:
        moves[state, first : last + 1] = after
    lengths = np.array([len(token) for token in spelled])
    padded = np.zeros((len(spelled), int(lengths.max(initial=0))), np.uint8)
    for row, token in enumerate(spelled):
        padded[row, : len(token)] = np.frombuffer(token, np.uint8)
    found = np.repeat(np.arange(len(moves), dtype=np.int8)[:, None], len(spelled), axis=1)
    for place in range(padded.shape[1]):
        goes_on = (lengths > place) & (found != _REFUSED)
        found = np.where(goes_on, moves[np.maximum(found, 0), padded[:, place]], found)
    found[1:, lengths == 0] = _REFUSED
    return found


class WholeCharacters:
    """A text part of the way: which tokens may come next.

    Args:
        after: from `states_after`.
    """

    def __init__(self, after: NDArray[np.int8]) -> None:
        self._after, self._state = after, _BETWEEN

    def allowed(self) -> NDArray[np.bool_]:
        """Whether each token keeps the text valid. Shape [V]."""
        allowed: NDArray[np.bool_] = self._after[self._state] >= 0
        return allowed

    def read(self, token: int) -> None:
        """Take `token` as the next; after one that was not allowed a new character begins."""
        self._state = max(_BETWEEN, int(self._after[self._state, token]))
