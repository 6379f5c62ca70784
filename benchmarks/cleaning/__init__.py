"""Cleaning and deduplication beside datatrove, text-dedup, datasketch and rensa; docs/benchmarks.md has the results."""
