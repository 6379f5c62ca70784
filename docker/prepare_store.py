"""Makes the buckets, and proves that the store keeps the promise on which every commit of the lake rests.

A commit is a file that must not exist yet (`If-None-Match: *`). A store that ignores the header, or checks it without a
lock, would let two writers win and lose the rows of one. So writers race here for one key, and exactly one must win.
Some stores fail this: see docs/docker.md.

    python prepare_store.py BUCKET ...
"""

from __future__ import annotations

import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

WRITERS = 20
ROUNDS = 3
_REFUSED = ("PreconditionFailed", "ConditionalRequestConflict")


def prepare(client: Any, buckets: list[str]) -> None:
    """Make the buckets that are missing, then race for a key in the first.

    Raises:
        SystemExit: the store lets more than one writer win, or none.
    """
    existing = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in buckets:
        if bucket not in existing:
            client.create_bucket(Bucket=bucket)
            print(f"made the bucket {bucket}")
    for _ in range(ROUNDS):
        winners = race(client, buckets[0])
        if winners != 1:
            sys.exit(
                f"lmflow: {winners} of {WRITERS} writers won a key that only one may have: this store does not enforce "
                "If-None-Match, so commits would be lost; use one that does (docs/docker.md)"
            )
    print(f"the store keeps a commit to one writer ({ROUNDS} races of {WRITERS})")


def race(client: Any, bucket: str) -> int:
    """How many of several simultaneous writers the store lets create the same key."""
    key = f".lmflow/race-{uuid.uuid4().hex}"
    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            return sum(pool.map(lambda number: _creates(client, bucket, key, number), range(WRITERS)))
    finally:
        client.delete_object(Bucket=bucket, Key=key)


def _creates(client: Any, bucket: str, key: str, number: int) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.put_object(Bucket=bucket, Key=key, Body=str(number).encode(), IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] in _REFUSED or error.response["ResponseMetadata"]["HTTPStatusCode"] == 412:
            return False
        raise
    return True


def main() -> None:
    """Prepare the store at AWS_ENDPOINT_URL_S3."""
    import boto3
    from botocore.config import Config

    if len(sys.argv) < 2:
        sys.exit("lmflow: no bucket; usage: prepare_store.py BUCKET ...")
    # A refusal that is asked again would be hidden.
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=WRITERS)
    prepare(boto3.client("s3", config=config), sys.argv[1:])


if __name__ == "__main__":
    main()
