"""Reads a WARC file once with one library, every HTTP body included; prints CPU seconds, responses, bytes of bodies.

Run by `benchmarks.news.warc`, lmflow in its own environment, the others in the peers'.
"""

from __future__ import annotations

import json
import sys
import time


def _lmflow(path: str) -> tuple[int, int]:
    from lmflow.crawl.warc_reader import WarcReader, responses

    count = size = 0
    with open(path, "rb") as file:
        for _, response in responses(WarcReader(file.read)):
            count, size = count + 1, size + len(response.body)
    return count, size


def _lmflow_copies(path: str) -> tuple[int, int]:
    from lmflow.crawl.warc_reader import WarcReader, responses

    count = size = 0
    with open(path, "rb") as file:
        for _, response in responses(WarcReader(file.read)):
            count, size = count + 1, size + len(bytes(response.body))
    return count, size


def _fastwarc(path: str) -> tuple[int, int]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    count = size = 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True):
            count, size = count + 1, size + len(record.reader.read())
    return count, size


def _warcio(path: str) -> tuple[int, int]:
    from warcio.archiveiterator import ArchiveIterator

    count = size = 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type == "response":
                count, size = count + 1, size + len(record.content_stream().read())
    return count, size


if __name__ == "__main__":
    read = {"lmflow": _lmflow, "lmflow-copies": _lmflow_copies, "fastwarc": _fastwarc, "warcio": _warcio}[sys.argv[1]]
    read(sys.argv[2])  # warm: imports, page cache
    started = time.process_time()
    responses_, bytes_ = read(sys.argv[2])
    print(json.dumps([time.process_time() - started, responses_, bytes_]))
