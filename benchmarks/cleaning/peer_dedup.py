"""text-dedup's MinHash on a JSONL file: runs among the peers. Prints survivors, seconds and the cluster of each row."""

import json
import sys
import time

from datasets import load_from_disk
from text_dedup import minhash

path, folder = sys.argv[1:]
words = [
    *("--path", "json", "--data_files", path, "--split", "train", "--column", "text", "--cache_dir", f"{folder}/cache"),
    *("--output", f"{folder}/out", "--ngram", "5", "--num_perm", "112", "--b", "14", "--r", "8", "--num_proc", "2"),
    *("--hash_func", "xxh3", "--hash_bits", "32"),
]
start = time.perf_counter()
minhash.main(words, standalone_mode=False)
seconds = time.perf_counter() - start
with open(path) as lines:
    clusters = [minhash.uf.find(row) for row, _ in enumerate(lines)]
survivors = len(load_from_disk(f"{folder}/out"))
print(json.dumps({"seconds": seconds, "survivors": survivors, "clusters": clusters}))
