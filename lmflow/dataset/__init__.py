"""From clean documents to what a model reads: a tokenizer, and token shards with a manifest of digests."""
