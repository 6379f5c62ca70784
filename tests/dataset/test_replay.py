"""A warm start reads every new document, and old ones in the share that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from lmflow.dataset.replay import select

IDS = [f"news:{number}" for number in range(1000)]
BYTES = np.random.default_rng(1).integers(100, 300, 1000)
NEW = np.arange(1000) % 10 == 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_all_new_documents_and_the_share_of_old_ones_are_read(share: float) -> None:
    read = select(IDS, BYTES, NEW, share, "models:/lm-en/3")
    assert read[NEW].all()
    assert BYTES[read & ~NEW].sum() / BYTES[read].sum() == pytest.approx(share, abs=0.01)


def test_each_warm_start_replays_other_documents_and_the_same_one_the_same() -> None:
    first, second = (select(IDS, BYTES, NEW, 0.5, salt) for salt in ("models:/lm-en/3", "models:/lm-en/4"))
    assert (first == select(IDS, BYTES, NEW, 0.5, "models:/lm-en/3")).all()
    overlap = (first & second & ~NEW).sum() / (first & ~NEW).sum()
    assert overlap < 0.4
    assert select(IDS, BYTES, NEW, 0.99, "x").all()  # there is no more old text than there is
