"""Wikipedia extraction against the extractors people use: speed, fidelity, what is kept, what is left over.

`peers` makes the scratch environment that all of these share; README.md fixes how the text is scored.
"""
