"""A tiny training run as a process of its own, for tests that kill it or give it two replicas.

One JSON object of options: folder, family, and what differs from the defaults below.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lmflow.models import families
from lmflow.models.awd_lstm import AwdLstmPreset
from lmflow.models.lstm import LstmPreset
from lmflow.models.mlp import MlpPreset
from lmflow.models.rnn import RnnPreset
from lmflow.models.transformer import TransformerPreset
from lmflow.models.vae import VaePreset
from lmflow.training import checkpoint, loop
from lmflow.training.batches import StreamBatches
from lmflow.training.loop import Point, train
from lmflow.training.schedule import Schedule
from lmflow.training.stepper import Stepper

#: One small shape of each family.
SHAPES: dict[str, Any] = {
    "mlp": MlpPreset(order=4, features=6, width=16, dropout=0.3),
    "rnn": RnnPreset(width=16, dropout=0.3),
    "lstm": LstmPreset(layers=2, width=16, dropout=0.3),
    "awd-lstm": AwdLstmPreset(2, 16, 12, 0.1, 0.1, 0.1, 0.05, 0.2, 0.1, 0.1),
    "vae": VaePreset(width=16, latent=4, longest=9, anneal_steps=20, word_dropout=0.2, dropout=0.1),
    "transformer": TransformerPreset(layers=2, width=16, heads=2, inner=24, memory=8, dropout=0.3),
}
VOCABULARY = 40
SCHEDULE = Schedule(batch_size=7, sequence_length=16, warmup_steps=5, evaluate_every=20, checkpoint_every=7)


def main(
    folder: str,
    family: str,
    replicas: tuple[int, ...] = (1,),
    kill_at: int = -1,
    kill_with: str = "SIGKILL",
    kill_in: str = "step",
    schedule: dict[str, Any] | None = None,
) -> None:
    """Train, once for each number of replicas; `kill_in` a step's report, an evaluation, half a checkpoint or a swap.

    A swap is that of the last weights for the averaged ones, or back.
    """
    place = Path(folder)
    tokens = np.random.default_rng(3).integers(0, VOCABULARY, 5000)
    chosen = replace(SCHEDULE, **(schedule or {}))
    reached = 0

    def kill(where: str) -> None:
        if where == kill_in and reached == kill_at:
            os.kill(os.getpid(), signal.Signals[kill_with])

    def report(point: Point, total: int) -> None:
        nonlocal reached
        reached = point.step
        kill("step")

    def validate(model: Any) -> float:
        kill("evaluation")
        return float(model.score([tokens[:50]])[0] / 51)

    whole = np.savez

    def half(file: Any, **arrays: Any) -> None:
        file.write(b"PK half a checkpoint")
        file.flush()
        kill("checkpoint")
        file.seek(0)
        whole(file, **arrays)

    class Interrupted(Stepper):
        def set_weights(self, values: Any) -> None:
            def one_by_one() -> Iterator[Any]:
                for number, value in enumerate(values):
                    if number == 1:
                        kill("swap")
                    yield value

            super().set_weights(one_by_one())  # type: ignore[arg-type]

    loop.Stepper = Interrupted  # type: ignore[misc]
    checkpoint.np.savez = half
    for number in replicas:
        model, outcome = train(
            lambda: families.NEURAL[family](VOCABULARY, SHAPES[family], seed=5),
            StreamBatches(tokens, chosen),
            validate,
            chosen,
            checkpoint.in_folder(place / "checkpoints" / str(number)),
            number,
            report,
        )
        checkpoint.np.savez = whole
        if not outcome.interrupted:
            (place / "final" / str(number)).mkdir(parents=True)
            families.save(model, place / "final" / str(number))
        print("steps", outcome.steps, "points", [point.step for point in outcome.points])


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
