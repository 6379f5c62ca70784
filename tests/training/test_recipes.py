"""The recipes of published presets say what their papers, or the code behind their figures, say."""

from __future__ import annotations

import pytest

from benchmarks.language_models.published import TARGETS
from lmflow.models.families import PRESETS
from lmflow.training.recipes import RECIPES

SHAPES = {name: preset for family in PRESETS.values() for name, preset in family.items()}
ZAREMBA = {"optimizer": "sgd", "learning_rate": 1.0, "batch_size": 20, "loss_per": "stream", "decay": "epochs"}
#: Shape and recipe by preset. Zaremba et al. 2014, section 4.1 (small: their code); Merity et al. 2017, section 5, and
#: the command of their README; train.py of the Sentence-VAE of timbmg, stopped after 4 epochs.
PUBLISHED = {
    "lstm-zaremba-small": (
        {"layers": 2, "width": 200, "dropout": 0.0},
        {**ZAREMBA, "sequence_length": 20, "clip_norm": 5.0, "epochs": 13, "decay_after": 4, "decay_factor": 1 / 2},
    ),
    "lstm-zaremba-medium": (
        {"layers": 2, "width": 650, "dropout": 0.5},
        {**ZAREMBA, "sequence_length": 35, "clip_norm": 5.0, "epochs": 39, "decay_after": 6, "decay_factor": 1 / 1.2},
    ),
    "lstm-zaremba-large": (
        {"layers": 2, "width": 1500, "dropout": 0.65},
        {
            **ZAREMBA,
            "sequence_length": 35,
            "clip_norm": 10.0,
            "epochs": 55,
            "decay_after": 14,
            "decay_factor": 1 / 1.15,
        },
    ),
    "awd-lstm-merity": (
        {
            **{"layers": 3, "width": 1150, "embedding": 400, "dropout": 0.4, "input_dropout": 0.4},
            **{"hidden_dropout": 0.25, "embedding_dropout": 0.1, "weight_drop": 0.5},
            **{"activation_penalty": 2.0, "change_penalty": 1.0},
        },
        {
            **{"optimizer": "sgd", "learning_rate": 30.0, "batch_size": 20, "sequence_length": 70, "clip_norm": 0.25},
            **{"weight_decay": 1.2e-6, "average": "asgd", "non_monotone": 5, "random_lengths": True, "epochs": 500},
        },
    ),
    "vae-timbmg": (
        {
            **{"embedding": 300, "width": 256, "latent": 16, "anneal_steps": 5000, "word_dropout": 0.0},
            **{"dropout": 0.5, "output_dropout": 0.0, "beside_words": False},
        },
        {
            **{"optimizer": "adam", "learning_rate": 1e-3, "batch_size": 32, "epochs": 4, "decay": "none"},
            **{"warmup_steps": 0, "loss_per": "stream", "average": "none", "weight_decay": 0.0},
        },
    ),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_preset_has_the_shape_and_the_recipe_of_its_source(name: str) -> None:
    shape, recipe = PUBLISHED[name]
    assert {key: getattr(SHAPES[name], key) for key in shape} == shape
    assert {key: getattr(RECIPES[name], key) for key in recipe} == recipe


def test_every_preset_has_a_recipe_and_every_target_a_preset() -> None:
    assert set(RECIPES) == set(SHAPES)
    assert set(TARGETS) - {"ngram"} <= set(SHAPES)
