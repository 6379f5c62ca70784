"""A training's checkpoints and dataset lie in the lake: on S3 they are kept as on disk; one host trains at a time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from lmflow.errors import ServiceError
from lmflow.lake import Lake
from lmflow.training.checkpoint import Checkpoints
from tests.dataset.test_store import rebuilt_after_damage
from tests.training.test_loop import keep_five


def test_checkpoints_on_s3_are_kept_alike_and_another_host_waits_for_its_turn(s3: Any) -> None:
    there = Checkpoints("s3://dumps/lake/objects/checkpoints/k")
    keep_five(there)
    stored = [item["Key"] for item in s3.list_objects_v2(Bucket="dumps", Prefix="lake/")["Contents"]]
    assert [key.rpartition("/")[2] for key in stored] == [
        "best.npz",
        "run_id",
        "step-000000004.npz",
        "step-000000005.npz",
    ]
    elsewhere = {"host": "another", "pid": 1, "renewed": time.time()}
    place = {"Bucket": "dumps", "Key": "lake/objects/checkpoints/k/trainer.json"}
    s3.put_object(**place, Body=json.dumps(elsewhere).encode())
    with pytest.raises(ServiceError, match="host another works at s3://dumps/"), there.locked():
        pass
    s3.put_object(**place, Body=json.dumps({**elsewhere, "renewed": time.time() - 61}).encode())
    with there.locked():  # a host that died holds nothing for long
        assert json.loads(s3.get_object(**place)["Body"].read())["host"] != "another"
    there.remove()
    assert "Contents" not in s3.list_objects_v2(Bucket="dumps", Prefix="lake/")


def test_a_dataset_whose_copy_on_this_host_is_damaged_is_built_again(s3: Any) -> None:
    rebuilt_after_damage(Lake("s3://dumps/lake"))
