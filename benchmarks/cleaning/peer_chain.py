"""datatrove's filters one after the other on texts, one core: runs among the peers. Prints CPU seconds.

Every filter sees every text, as our measuring does; C4 changes the text, so it gets a copy. The cache of its word
tokeniser is kept as datatrove has it.
"""

import json
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters.c4_filters import C4QualityFilter
from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter
from datatrove.utils.text import split_into_words

given = json.load(sys.stdin)
language = given["language"]
filters = [
    cls(language=language)
    for cls in (GopherRepetitionFilter, GopherQualityFilter, C4QualityFilter, FineWebQualityFilter)
]
split_into_words("warm up", language)
kept, start = 0, time.process_time()
for text in given["texts"]:
    verdicts = [its.filter(Document(text=text, id="")) for its in filters]
    kept += all(verdict is True for verdict in verdicts)
print(json.dumps({"seconds": time.process_time() - start, "kept": kept}))
