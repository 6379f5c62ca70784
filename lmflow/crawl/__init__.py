"""Fetching dumps, feeds and APIs: politely, safely, incrementally. No parsing of documents, no Spark."""
