"""Deciding what a model learns from: signals, policy, private data, duplicates, split. Plain functions, no Spark."""
