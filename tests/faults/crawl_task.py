"""One task of a crawl as a process of its own, to be killed: arguments PLANS (a file), OBJECTS, PREFIX."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lmflow.crawl.pages import HostPlan, visit_hosts
from lmflow.lake import Objects

if __name__ == "__main__":
    plans = [HostPlan.from_json(text) for text in json.loads(Path(sys.argv[1]).read_text())]
    print(sum(1 for _ in visit_hosts(plans, Objects(sys.argv[2]), sys.argv[3])))
