"""What a warm start reads: the documents that are new, and a share of old ones, so that what was learned is kept.

Replaying some old text is the plain remedy for forgetting in continued pre-training (Ibrahim et al. 2024,
https://arxiv.org/abs/2403.08763, with a learning rate that rises and decays again; 1 to 50 % of replay there).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmflow.dataset.mixture import uniform


def select(
    doc_ids: Sequence[str], n_bytes: NDArray[np.int64], new: NDArray[np.bool_], share: float, salt: str
) -> NDArray[np.bool_]:
    """Which documents to read: all new ones, and old ones until they are `share` of the bytes.

    Args:
        doc_ids: of the training documents.
        n_bytes: of each. Shape [documents].
        new: which of them are new. Shape [documents].
        share: of the old among the bytes that are read, in [0, 1).
        salt: what names this warm start; each replays other old documents.

    Returns:
        A mask. Shape [documents].
    """
    wanted = share / (1 - share) * int(n_bytes[new].sum())
    read = new.copy()
    old = np.flatnonzero(~new)
    for place in sorted(old.tolist(), key=lambda place: (uniform(doc_ids[place], salt), place)):
        if wanted <= 0:
            break
        read[place] = True
        wanted -= int(n_bytes[place])
    return read
