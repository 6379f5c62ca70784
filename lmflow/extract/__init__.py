"""Raw objects to text: wikitext, web pages, posts. Plain functions on strings and bytes; no Spark, no network."""
