"""Text becomes lines of words, once, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmflow.embeddings.sentences import LONGEST_SENTENCE, copy_sentences, write_sentences
from lmflow.embeddings.stop_words import stop_words
from lmflow.embeddings.wording import Wording
from lmflow.errors import InputError


def test_paragraphs_become_lower_cased_lines(tmp_path: Path) -> None:
    written = write_sentences(["Spain's King.\n\n“Madrid”, 1998!", "…"], "en", tmp_path / "s.txt")
    assert written.path.read_text() == "spain's king\nmadrid 1998\n"
    assert (written.documents, written.sentences, written.words) == (1, 2, 4)


def test_chinese_is_cut_into_words(tmp_path: Path) -> None:
    written = write_sentences(["我们在北京大学学习。"], "zh", tmp_path / "s.txt")
    assert "北京大学" in written.path.read_text().split()


@pytest.mark.parametrize(
    ("wording", "lang", "text", "written"),
    [
        (Wording(lower_case=False), "en", "Spain's King, 1998!", "Spain's King 1998"),
        (Wording(punctuation=True), "en", "“Well…” it's 5 % of A_b.", "“ well … ” it's 5 % of a _ b ."),
        (Wording(punctuation=True), "zh", "我们在北京大学，学习。", "我们 在 北京大学 ， 学习 。"),
        (Wording("characters"), "zh", "我们用GPU学习。", "我 们 用 gpu 学 习"),
        (Wording("characters", punctuation=True), "zh", "我们，GPU。", "我 们 ， gpu 。"),
        (Wording("spaces"), "zh", "我们 在 “北京大学” ， C++ 学习 。", "我们 在 北京大学 c 学习"),
        (Wording("spaces", punctuation=True), "en", "New_York is (very) big.", "new_york is (very) big."),
        (Wording(stop_words=stop_words("en")), "en", "It’s the King of Spain", "king spain"),
        (Wording(lower_case=False, stop_words=stop_words("en")), "en", "The King AND the Queen", "King Queen"),
        (Wording(stop_words=stop_words("zh")), "zh", "我们在北京大学学习。", "北京大学 学习"),
    ],
)
def test_the_text_is_worded_as_asked(tmp_path: Path, wording: Wording, lang: str, text: str, written: str) -> None:
    assert write_sentences([text], lang, tmp_path / "s.txt", wording=wording).path.read_text() == written + "\n"


@pytest.mark.parametrize("lang", ["en", "zh", "ja", "de", "fr", "es", "ru", "ar"])
def test_every_stop_word_can_meet_a_word_of_a_text(lang: str) -> None:
    for word in stop_words(lang):
        assert Wording().words(word, lang) == [word], f"{word} is never one word of a text"


def test_stop_words_come_from_an_own_list_or_are_missed_by_name(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("# mine\nKing queen\n")
    assert stop_words("en", tmp_path / "own") == {"king", "queen"}
    with pytest.raises(InputError, match=r"no stop words for 'xx'.*en, es, fr.*--stop-words-file"):
        stop_words("xx")
    with pytest.raises(InputError, match=r"--stop-words-file .*absent"):
        stop_words("en", tmp_path / "absent")


def test_the_digest_names_the_text_and_nothing_else(tmp_path: Path) -> None:
    one = write_sentences(["A b."], "en", tmp_path / "1.txt")
    same = write_sentences(iter(["a B"]), "en", tmp_path / "2.txt")
    other = write_sentences(["a c"], "en", tmp_path / "3.txt")
    assert one.digest == same.digest != other.digest


def test_many_workers_write_the_file_that_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmflow.embeddings.sentences.BLOCK_CHARS", 50)
    documents = [f"Paragraph {number} of many.\nAnd 第 {number} 段" for number in range(40)]
    one = write_sentences(documents, "zh", tmp_path / "1.txt")
    two = write_sentences(iter(documents), "zh", tmp_path / "2.txt", workers=2)
    assert two.profile() == one.profile()
    assert (tmp_path / "1.txt").read_bytes() == (tmp_path / "2.txt").read_bytes()


def test_one_endless_line_is_cut_without_losing_a_word(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(400_000)]  # 2.7 MB, more than one block
    (tmp_path / "text8").write_text(" ".join(words))
    copied = copy_sentences(tmp_path / "text8", tmp_path / "s.txt")
    lines = copied.path.read_text().splitlines()
    assert " ".join(lines).split() == words
    assert max(len(line.split()) for line in lines) <= LONGEST_SENTENCE
    assert copied.words == len(words)


def test_a_plain_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("The  Cat\tsat .\n\non the mat")
    copied = copy_sentences(tmp_path / "plain", tmp_path / "s.txt")
    assert copied.path.read_text() == "The Cat sat .\non the mat\n"


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "holds no words"), (b" \n\n", "holds no words"), (b"\xff\xfe\n", "not UTF-8")]
)
def test_a_file_without_words_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "plain").write_bytes(content)
    with pytest.raises(InputError, match=says):
        copy_sentences(tmp_path / "plain", tmp_path / "s.txt")


def test_no_words_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no en text"):
        write_sentences(["", "…"], "en", tmp_path / "s.txt")
