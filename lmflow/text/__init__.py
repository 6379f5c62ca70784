"""Pure functions on strings: normalise, segment, split into sentences, fold for comparison. No files, no services."""
