"""How each preset is trained: the schedule of its paper, or what proved good on a corpus of a few megabytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lmflow.training.schedule import Schedule

#: Zaremba et al. 2014, section 4.1: SGD at rate 1, streams of 20, the loss a sum over time. A file in their TensorFlow
#: and Lua code: the rate falls with each epoch after the first few. The paper resets nothing within an epoch; a corpus
#: of documents does by `reset_share`, because each is scored from zero states.
_ZAREMBA: Final = Schedule(
    batch_size=20,
    sequence_length=35,
    optimizer="sgd",
    learning_rate=1.0,
    loss_per="stream",
    decay="epochs",
    warmup_steps=0,
    clip_norm=5.0,
)

RECIPES: Final[dict[str, Schedule]] = {
    "mlp-nano": Schedule(learning_rate=4e-3),
    # Bengio et al. decay the rate with the updates and stop early; Adam in place of their one-example SGD.
    "mlp-bengio": Schedule(epochs=15, batch_size=20, learning_rate=1e-3, decay="plateau", patience=3),
    "rnn-nano": Schedule(learning_rate=4e-3),
    # Mikolov's rnnlm halves the rate when validation stops improving, from the best weights on, then stops. Not its:
    # Adam for one-example SGD at rate 0.1, and no L2 penalty (its is 1e-7). Not measured on the Penn Treebank.
    "rnn-mikolov": Schedule(epochs=30, batch_size=20, learning_rate=1e-3, decay="plateau", patience=3),
    "lstm-nano": Schedule(),
    "lstm-zaremba-small": replace(_ZAREMBA, epochs=13, sequence_length=20, decay_after=4, decay_factor=1 / 2),
    "lstm-zaremba-medium": replace(_ZAREMBA, epochs=39, decay_after=6, decay_factor=1 / 1.2),
    "lstm-zaremba-large": replace(_ZAREMBA, epochs=55, decay_after=14, decay_factor=1 / 1.15, clip_norm=10.0),
    "awd-lstm-nano": Schedule(epochs=4),
    # Merity et al.'s Penn Treebank run: NT-ASGD at rate 30 (a mean over tokens), clipped at 0.25.
    "awd-lstm-merity": Schedule(
        epochs=500,
        batch_size=20,
        sequence_length=70,
        optimizer="sgd",
        learning_rate=30.0,
        decay="none",
        warmup_steps=0,
        weight_decay=1.2e-6,
        clip_norm=0.25,
        average="asgd",
        random_lengths=True,
    ),
    "vae-nano": Schedule(epochs=4, batch_size=32, learning_rate=3e-3),
    # No plateau decay here: while the weight of the KL term is still low, the bound on validation gets worse.
    "vae-bowman": Schedule(epochs=40, batch_size=32, learning_rate=1e-3, clip_norm=5.0),
    # What timbmg's code does when stopped after 4 epochs, as its README's figures were: no decay, no clipping.
    "vae-timbmg": Schedule(
        epochs=4,
        batch_size=32,
        learning_rate=1e-3,
        decay="none",
        warmup_steps=0,
        clip_norm=1e9,
        loss_per="stream",
    ),
    "transformer-nano": Schedule(batch_size=32, sequence_length=64, learning_rate=3e-3, weight_decay=0.01),
    "transformer-small": Schedule(
        epochs=20, batch_size=32, sequence_length=256, learning_rate=1e-3, weight_decay=0.1, warmup_steps=500
    ),
    "transformer-base": Schedule(
        epochs=20, batch_size=64, sequence_length=512, learning_rate=6e-4, weight_decay=0.1, warmup_steps=1000
    ),
}
