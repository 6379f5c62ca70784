"""Perplexity under a reference model: equal to hand-computed values, measured where a policy asks, never stale."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.command import Progress
from jobs.fit_reference_model import FitReferenceModel, run
from lmflow.corpus.assess import assess
from lmflow.corpus.ledger import Ledger
from lmflow.corpus.policy import BUILT_IN, Policies, load
from lmflow.corpus.redecision import redecide
from lmflow.corpus.reference import SCORED_BY, Reference, ReferenceModel, tokens
from lmflow.corpus.report import Account
from lmflow.errors import InputError
from lmflow.lake import Lake
from tests.corpus.documents import as_batch, build, english, ingest, row
from tests.corpus.test_redecision import again

ARPA = """\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-99\t<s>\t-0.5
-1.0\t</s>
-2.0\t<unk>
-0.7\ta\t-0.3
-0.9\tb\t-0.2

\\2-grams:
-0.4\t<s> a\t-0.1
-0.6\ta b\t-0.15
-0.3\tb </s>

\\3-grams:
-0.2\t<s> a b

\\end\\
"""


@pytest.fixture
def model(tmp_path: Path) -> ReferenceModel:
    (tmp_path / "m.arpa").write_text(ARPA)
    return ReferenceModel.load(tmp_path / "m.arpa")


@pytest.mark.parametrize(
    ("lines", "logs"),
    [
        # p(a | <s>), p(b | <s> a), then "a b </s>" backs off from "a b" (-0.15) to "b </s>" (-0.3)
        (["ab"], [-0.4, -0.2, -0.15 - 0.3]),
        # p(b | <s>): -0.5 - 0.9; p(</s> | <s> b): "<s> b" is not listed, so nothing is lost; "b </s>" -0.3
        (["b"], [-0.5 - 0.9, -0.3]),
        # an unknown token has no weight as a history; then p(a | <unk>) = p(a), p(</s> | a) = -0.3 - 1.0
        (["xa"], [-0.5 - 2.0, -0.7, -0.3 - 1.0]),
        # nothing of a line is history to the next one
        (["ab", "b"], [-0.4, -0.2, -0.45, -1.4, -0.3]),
    ],
)
def test_perplexities_are_those_computed_by_hand(model: ReferenceModel, lines: list[str], logs: list[float]) -> None:
    [found] = model.perplexities([[list(line) for line in lines]])
    assert found == pytest.approx(10 ** -(sum(logs) / len(logs)), rel=1e-6)


texts = st.lists(st.lists(st.lists(st.sampled_from("abx"), max_size=6), max_size=3), max_size=4)


@given(texts)
def test_many_texts_at_once_are_measured_as_each_alone(texts: list[list[list[str]]]) -> None:
    model = ReferenceModel._read(iter(ARPA.splitlines(keepends=True)))
    together = model.perplexities(texts)
    alone = [float(model.perplexities([text])[0]) for text in texts]
    assert together == pytest.approx(alone)
    assert [value == 0 for value in together] == [not any(text) for text in texts]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("\\end\\", ""), "no .end."),
        (("-2.0\t<unk>\n", "-2.0\tc\n"), "does not have <unk>"),
        (("ngram 2=3", "ngram 2=4"), r"3 2-grams where it announces \[4\]"),
        (("-0.4\t<s> a", "-0.4 <s> a"), "no whole ARPA file"),
        (("-0.2\t<s> a b", "-0.2\tb a b"), "no whole ARPA file"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    (tmp_path / "m.arpa").write_text(ARPA.replace(*change))
    with pytest.raises(InputError, match=rf"m\.arpa.*{says}"):
        ReferenceModel.load(tmp_path / "m.arpa")


def test_tokens_are_folded() -> None:
    assert tokens("Año 1998.", "es", "characters") == list("año▁0000.")
    assert tokens("Año 1998.", "es", "words") == ["año", "0000"]


def test_a_fitted_model_prefers_text_like_its_own_and_gives_the_probabilities_it_was_fitted_with(
    tmp_path: Path,
) -> None:
    (tmp_path / "good.txt").write_text("\n".join(english(seed, 3) for seed in range(60)))
    done = run(
        FitReferenceModel(lang="en", output=tmp_path / "p" / "en.arpa", train_file=tmp_path / "good.txt", order=4),
        Progress(),
    )
    assert (done["documents"], done["held_out"]) == (54, 6)
    model = ReferenceModel.load(tmp_path / "p" / "en.arpa")
    like, unlike = (
        model.perplexities([[tokens(text, "en", "characters")]])[0] for text in (english(999, 3), english(999, 3)[::-1])
    )
    assert like < 3 < 2 * like < unlike
    assert f"head_at_most: {round(like, 0):.0f}"[:10] in done["policy"]
    alone = [model.perplexities([[[character]]])[0] for character in "theq"]
    assert all(math.isfinite(value) and value > 1 for value in alone)
    assert np.all(np.diff(sorted(alone)) >= 0)


def asking(folder: Path, arpa: str, rule: str = "", bounds: str = "") -> Policies:
    folder.mkdir(exist_ok=True)
    (folder / "en.arpa").write_text(arpa)
    text = (BUILT_IN / "en.yaml").read_text(encoding="utf-8").replace("\nrules:\n", f"\nrules:\n{rule}")
    (folder / "en.yaml").write_text(f"{text}\nreference: {{model: en.arpa{bounds}}}\n")
    return load(["en", "zh"], folder)


def test_a_policy_measures_decides_and_reads_again_when_the_model_changes(
    lake: Lake, tmp_path: Path, policies: Policies
) -> None:
    rule = "  unlikely_text: {signal: perplexity, at_most: 99}\n"
    ingest(lake, [row(1, "a", english(1)), row(1, "b", english(2))])
    build(lake, policies)
    asked = asking(tmp_path, ARPA)
    assert again(lake, asked).read == ["a", "b"]
    assert again(lake, asked).read == []
    strict = asking(tmp_path, ARPA, rule.replace("99", "1"))
    assert strict.digest != asked.digest
    assert decided(lake, strict) == ([], [["unlikely_text"], ["unlikely_text"]])
    other = asking(tmp_path, ARPA.replace("-0.9\tb", "-0.8\tb"))
    assert again(lake, other).read == ["a", "b"]


def decided(lake: Lake, policies: Policies) -> tuple[list[str], list[list[str]]]:
    """What would be read again, and the rules that documents would break; nothing is committed."""
    ledger = Ledger(lake)
    found = redecide(ledger, policies, ledger.corpus.stage())
    return found.read, [[failure.rule for failure in failures] for failures in found.outcome.failures]


def test_documents_are_counted_in_head_middle_and_tail(tmp_path: Path) -> None:
    policies = asking(tmp_path, ARPA, bounds=", head_at_most: 50, middle_at_most: 70")
    rows = assess(as_batch([row(1, "a", english(1)), row(1, "b", "a b " * 40)]), policies)
    values = [dict(found["signals"]) for found in rows.to_pylist()]
    assert all(SCORED_BY in found for found in values) and values[1]["perplexity"] < 50 < values[0]["perplexity"]
    account = Account()
    account.add_buckets(pa.Table.from_batches([rows]), policies)
    assert sum(account.buckets.values()) == sum(found["lang"] == "en" for found in rows.to_pylist())
    its = Reference(model="m", head_at_most=50, middle_at_most=70)
    assert [its.bucket(value) for value in (50.0, 70.0, 71.0)] == ["head", "middle", "tail"]


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda folder: (folder / "en.arpa").unlink(), "reference.model: there is no file"),
        (
            lambda folder: (folder / "en.yaml").write_text(
                (folder / "en.yaml").read_text().replace("{model: en.arpa}", "{model: en.arpa, head_at_most: 3}")
            ),
            "give head_at_most and middle_at_most",
        ),
    ],
)
def test_a_policy_that_cannot_be_measured_is_refused(
    tmp_path: Path, write: Callable[[Path], object], says: str
) -> None:
    asking(tmp_path, ARPA)
    write(tmp_path)
    with pytest.raises(InputError, match=says):
        load(["en"], tmp_path)
