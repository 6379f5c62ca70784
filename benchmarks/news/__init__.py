"""News: quality and speed of article extraction, feeds, WARC reading; beside the libraries one would use instead."""
