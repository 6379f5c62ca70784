"""Scores of models on held-out data, each with an interval. Nothing here decides; the registry's gate does."""
