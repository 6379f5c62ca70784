"""lmflow keeps language models fresh from corpora that grow every day."""

__version__ = "0.1.0"
