"""What a policy changes in a text before it is measured, counted, and read again when the policy changes."""

from pathlib import Path

import pytest

from lmflow.corpus.assess import assess
from lmflow.corpus.policy import BUILT_IN, Policies, load
from lmflow.corpus.preparation import PREPARED_BY
from lmflow.errors import InputError
from lmflow.lake import Lake
from tests.corpus.documents import as_batch, build, english, ingest, row
from tests.corpus.test_ledger import check_books, corpus
from tests.corpus.test_redecision import again

QUOTED = "“It’s the ﬁrst,” he said. "
STRAIGHT = '"It\'s the ﬁrst," he said. '


def preparing(folder: Path, options: str) -> Policies:
    """The English policy with a line `prepare`."""
    folder.mkdir(exist_ok=True)
    (folder / "en.yaml").write_text((BUILT_IN / "en.yaml").read_text(encoding="utf-8") + f"\nprepare: {options}\n")
    return load(["en", "zh"], folder)


def test_quotes_stay_unless_a_policy_asks_and_are_counted_when_it_does(policies: Policies, tmp_path: Path) -> None:
    batch = as_batch([row(1, "a", QUOTED + english(1), title="“T”")])
    [plain] = assess(batch, policies).to_pylist()
    assert plain["text"].startswith(QUOTED) and dict(plain["changes"]) == {}
    assert PREPARED_BY not in dict(plain["signals"])
    [found] = assess(batch, preparing(tmp_path, "{quotes: straight}")).to_pylist()
    assert found["text"].startswith(STRAIGHT) and found["title"] == '"T"'
    assert dict(found["changes"]) == {"quotes": 3}
    [both] = assess(batch, preparing(tmp_path, "{quotes: straight, unicode_form: NFKC}")).to_pylist()
    assert both["text"].startswith(STRAIGHT.replace("ﬁ", "fi"))
    assert dict(both["changes"]) == {"quotes": 3, "compatible": 1}


def test_a_policy_speaks_for_its_own_language(tmp_path: Path) -> None:
    chinese = "他说：“房间很干净，服务员也热情。”下次还会来住，价格也很合理。"
    [found] = assess(as_batch([row(1, "a", chinese, "social")]), preparing(tmp_path, "{quotes: straight}")).to_pylist()
    assert found["text"] == chinese and found["failures"] == []


def test_other_options_read_the_text_again_and_the_same_do_not(lake: Lake, tmp_path: Path, policies: Policies) -> None:
    straight = preparing(tmp_path / "straight", "{quotes: straight}")
    ingest(lake, [row(1, "a", QUOTED + english(1)), row(1, "b", english(2))])
    build(lake, policies)
    assert again(lake, straight).read == ["a", "b"]
    assert corpus(lake)["a"]["text"].startswith(STRAIGHT)
    check_books(lake)
    assert again(lake, straight).read == []
    assert again(lake, policies).read == ["a", "b"]
    assert corpus(lake)["a"]["text"].startswith(QUOTED)


def test_an_unknown_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"en\.yaml: prepare\.quotes: .*straight"):
        preparing(tmp_path, "{quotes: french}")
