"""What Delta wants to know of a Parquet file: its row count, and the least and greatest value of columns."""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow.parquet as pq

_LONGEST_STATISTIC: Final = 64  # characters; longer strings may be truncated in a Parquet footer


def file_statistics(footer: pq.FileMetaData) -> str:
    """Delta's file statistics as JSON: row count, min and max of integer and short string columns."""
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    unknown: set[str] = set()
    for group in range(footer.num_row_groups):
        for index in range(footer.num_columns):
            column = footer.row_group(group).column(index)
            name, stats = column.path_in_schema, column.statistics
            if "." in name or name in unknown:
                continue
            if stats is None or not stats.has_min_max or not _is_exact(stats.min) or not _is_exact(stats.max):
                unknown.add(name)
                continue
            low[name] = min(low.get(name, stats.min), stats.min)
            high[name] = max(high.get(name, stats.max), stats.max)
    return json.dumps(
        {
            "numRecords": footer.num_rows,
            "minValues": {name: value for name, value in low.items() if name not in unknown},
            "maxValues": {name: value for name, value in high.items() if name not in unknown},
            "nullCount": {},
        },
        ensure_ascii=False,
    )


def _is_exact(value: object) -> bool:
    """Whether a footer's value can be trusted and stored: integers, and strings too short to have been truncated."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and len(value) <= _LONGEST_STATISTIC)
