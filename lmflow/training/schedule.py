"""How a network is trained, as data: lengths, rates, what is averaged, when it stops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

_LEAST_WARMUPS: Final = 5  # a training is at least so many times as long as its warm-up


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: passes over the training text, at most.
        batch_size: examples a step (parallel streams of text), over all replicas and accumulated parts.
        sequence_length: tokens of each stream a step.
        optimizer: Adam (with decoupled weight decay where that is not 0) or plain SGD.
        learning_rate: the highest.
        decay: how it falls. cosine: to a tenth over the whole training. epochs: by `decay_factor` at each epoch from
            number `decay_after` on. plateau: by `decay_factor` at each evaluation that is no progress
            (a validation loss lower by 0.1 % than at the last that was), from the best weights on, as Mikolov's rnnlm.
        decay_after: epochs at the full rate.
        decay_factor: what the rate is multiplied by.
        warmup_steps: steps of a linear warm-up, at most a fifth of the training: a short one must have time to decay.
        weight_decay: AdamW's; with SGD what is added to the gradient for each unit of a weight, after clipping.
        clip_norm: largest global norm of a gradient.
        loss_per: what the loss is a mean over. token; or stream: a sum over time, as in Zaremba's and Mikolov's code.
        reset_share: share of streams that start a step from zero states (Melis et al. 2018), so that the model learns
            the start of a document as it will be scored; without it states drift where evaluation never goes.
        accumulate: parts that a batch is cut into, one after the other, so that a large one fits into memory.
        average: what is evaluated and kept in place of the last weights. ema: an exponential mean of all steps, and
            their plain mean while they are few. asgd: the plain mean of all steps since an evaluation was worse than
            the best of those more than `non_monotone` before it (NT-ASGD, Merity et al. 2017, algorithm 1); until then
            the last weights.
        ema_decay: of the exponential mean.
        non_monotone: n of NT-ASGD, in evaluations.
        random_lengths: segments of random length, as in Merity et al. 2017, section 5: half as long for one in twenty,
            spread by 5 tokens, the rate in proportion to the length.
        patience: evaluations in a row without progress until training stops and the best weights are kept; 0: never.
        evaluate_every: steps between evaluations on the validation split; 0: once an epoch.
        checkpoint_every: steps between checkpoints.
        precision: what GPUs compute in; weights and losses are float32 either way.
        seed: of initial weights, dropout and the order of examples.
    """

    epochs: float = 2.0
    batch_size: int = 64
    sequence_length: int = 32
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 8e-3
    decay: Literal["cosine", "epochs", "plateau", "none"] = "cosine"
    decay_after: int = 0
    decay_factor: float = 0.5
    warmup_steps: int = 50
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    loss_per: Literal["token", "stream"] = "token"
    reset_share: float = 0.05
    accumulate: int = 1
    average: Literal["none", "ema", "asgd"] = "none"
    ema_decay: float = 0.999
    non_monotone: int = 5
    random_lengths: bool = False
    patience: int = 0
    evaluate_every: int = 0
    checkpoint_every: int = 200
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 1

    def warmup(self, total: int) -> int:
        """Steps of the warm-up of a training of `total` steps."""
        return min(self.warmup_steps, total // _LEAST_WARMUPS)

    def rate(self, step: int, total: int, per_epoch: int, plateau: float = 1.0) -> float:
        """The learning rate of step number `step` (from 0) of `total`.

        Args:
            step: number of the step.
            total: steps in all.
            per_epoch: steps of one pass over the text.
            plateau: what evaluations have multiplied the rate by.
        """
        warmup = self.warmup(total)
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        if self.decay == "cosine":  # a half cosine (Loshchilov & Hutter 2017, one cycle)
            share = (step - warmup) / max(1, total - warmup)
            return self.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * min(share, 1.0))))
        if self.decay == "epochs":
            return float(self.learning_rate * self.decay_factor ** max(0, step // per_epoch + 1 - self.decay_after))
        return self.learning_rate * (plateau if self.decay == "plateau" else 1.0)


def steps(epochs: float, per_epoch: int) -> int:
    """Steps of so many passes over the text."""
    return max(1, round(epochs * per_epoch))
