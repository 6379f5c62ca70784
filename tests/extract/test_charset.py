"""Pages are read in the encoding that they are in, whatever they, or their servers, call it."""

import time

import pytest

from lmflow.extract.charset import decode

RUSSIAN = "Москва. Правительство утвердило новый план развития городского транспорта, сообщает пресс-служба мэрии."
TAIWANESE = "中央社台北一月二日電 今天上午，全國各地的氣象部門發布了新年第一份氣候公報，公報顯示去年平均氣溫偏高。"
JAPANESE = "東京都は二日、新しい気候変動対策の計画を発表した。これによると、都内の平均気温は平年より高くなっている。"
KOREAN = "서울시는 이일 새로운 기후 변화 대책을 발표했다. 이에 따르면 시내 평균 기온은 평년보다 높아지고 있다."
CHINESE = "新华社北京一月二日电，今天上午，全国各地的气象部门发布了新年第一份气候公报，去年全国平均气温较常年偏高。"
FRENCH = "Le gouvernement a présenté à l'Assemblée un projet de loi très attendu, où les députés ont réagi, déçus."


def page(text: str, label: str = "") -> str:
    meta = f'<meta charset="{label}">' if label else ""
    return f"<html><head>{meta}<title>{text[:9]}</title><script>var a = 1;</script></head><p>{text}</p></html>"


def test_decoding_believes_bytes_over_words() -> None:
    assert decode("é".encode("utf-8-sig")) == "é"
    assert decode('<meta charset="iso-8859-1">“'.encode("cp1252")).endswith("“")
    assert decode("<meta charset=nonsense>北京".encode()).endswith("北京")


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("shift_jis", "cp932", f"①髙～ {JAPANESE}"),
        ("x-sjis", "cp932", JAPANESE),
        ("Windows-31J", "cp932", JAPANESE),
        ("euc-kr", "cp949", f"똠방각하 {KOREAN}"),
        ("ks_c_5601-1987", "cp949", f"똠방각하 {KOREAN}"),
        ("big5", "big5hkscs", f"啫嚟 {TAIWANESE}"),
        ("windows-874", "cp874", "กรุงเทพมหานคร “แผน”"),
        ("tis-620", "cp874", "กรุงเทพมหานคร “แผน”"),
        ("iso-8859-9", "cp1254", "İstanbul'da “hava” sıcaklığı düştü"),
        ("ascii", "cp1252", "“quoted”"),
        ("utf-16", "utf-8", RUSSIAN),
    ],
)
def test_the_webs_labels_are_read_as_browsers_read_them(label: str, codec: str, text: str) -> None:
    assert text in decode(page(text, label).encode(codec))
    if label != "utf-16":  # which a header may say and mean
        assert text in decode(page(text).encode(codec), label)


def test_a_header_may_mean_utf_16() -> None:
    assert RUSSIAN in decode(page(RUSSIAN).encode("utf-16-le"), "utf-16")


@pytest.mark.parametrize("label", ["rot13", "hex", "base64", "utf-7", "idna", "unicode_escape", "hz", "undefined"])
def test_what_is_no_encoding_of_the_web_is_passed_over(label: str) -> None:
    markup = page("+ADw-b+AD4- <i>words</i>", label)
    assert decode(markup.encode()) == markup
    assert decode(page(CHINESE, label).encode("gb18030")) == page(CHINESE, label)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1251", RUSSIAN),
        ("koi8-r", RUSSIAN),
        ("big5", TAIWANESE),
        ("cp932", JAPANESE),
        ("euc_jp", JAPANESE),
        ("cp949", KOREAN),
        ("gb18030", CHINESE),
        ("cp1252", FRENCH),
    ],
)
def test_a_page_that_names_nothing_is_judged_by_its_text(codec: str, text: str) -> None:
    assert text in decode(page(text).encode(codec))


def test_a_few_damaged_bytes_do_not_make_another_encoding() -> None:
    cut = CHINESE.encode()[:-1]
    assert decode(cut, "utf-8") == decode(cut) == CHINESE[:-1] + "\ufffd"
    damaged = page(JAPANESE, "shift_jis").encode("cp932").replace(b"</p>", b"\xfd</p>")
    assert JAPANESE in decode(damaged)


def test_any_bytes_are_decoded_in_linear_time() -> None:
    for unit in (b"\xff", b">\xff", b"<p>\x81", b"\xe4\xb8", bytes(range(256))):
        started = time.process_time()
        decode(unit * (4_000_000 // len(unit)))
        assert time.process_time() - started < 5
