"""Private data is found in both languages, and what only looks like it is left alone."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmflow.corpus.pii import redact

POSITIVE = [
    ("email", "Write to jane.doe+news@mail.example.co.uk."),
    ("email", "邮箱zhangsan_88@163.com，谢谢"),
    ("email", "<1993Apr05.174537@watson.ibm.com>"),
    ("phone", "Call +1 (212) 555-0187 now"),
    ("phone", "call 212-555-0187, ask for Ann"),
    ("phone", "tel. (415) 555-2671"),
    ("phone", "UK: 0044 20 7946 0958"),
    ("phone", "+44 20 7946 0958 works too"),
    ("phone", "手机13812345678，微信同号"),
    ("phone", "电话：138-1234-5678"),
    ("phone", "１３９１２３４５６７８"),
    ("phone", "+86 138 1234 5678"),
    ("phone", "办公室010-62345678转8"),
    ("phone", "(0571)87654321"),
    ("ip", "served from 8.8.8.8 today"),
    ("ip", "服务器114.114.114.114是DNS"),
    ("id_number", "身份证11010519491231002X。"),
    ("id_number", "号码440308199901010012"),
    ("bank_card", "card 4111 1111 1111 1111 expires"),
    ("bank_card", "卡号6222021234567890128"),
    ("bank_card", "5555-5555-5555-4444"),
    ("bank_card", "amex 378282246310005"),
    ("iban", "IBAN DE89 3704 0044 0532 0130 00 AND more"),
    ("iban", "pay GB29NWBK60161331926819"),
    ("iban", "BE68 5390 0754 7034 THIS week"),
]

NEGATIVE = [
    "version 1.2.3.4 and v2.0.0.1",
    "localhost is 127.0.0.1, the router 192.168.1.1, the mask 255.255.255.0",
    "Windows 10.0.19041.1 build",
    "ISBN 978-7-302-51234-5 and 9787302512345",
    "ISBN 0-13-110362-8, ISSN 1234-5679",
    "on 2026-11-23 at 10:30:00, i.e. 20261123103000",
    "UTC +8 2026-11-23",
    "sha 13812345678abcdef and deadbeef13812345678",
    "pi is 3.13812345678 and 0.4111111111111111",
    "GDP rose to 13,812,345,678 yuan",
    "more than +20 000 000 views, +150 000 a day",
    "order 138123456789 shipped",
    "4111 1111 1111 1112 fails Luhn",
    "11010519491231002 has no check digit, 110105194912310021 a wrong one",
    "990308199901010012 is no region, 440308199913010017 no month",
    "DE88 3704 0044 0532 0130 00 fails mod 97",
    "section 8.8.8.8 of the standard",
    "1949年10月1日，1998年12月31日",
    "上证指数１１９４·１０１２００·９５",
    "call at 5 @ noon; a@b is no address",
    "the years 1914-1918 and 1939-1945, pages 212-555",
    "000000000000, 11111111111, 0000 0000 0000 0000",
    "10.1000/182 and 10.1038/nature12373 are DOIs",
    "https://example.org/2024/11/23/13812345678.html",
]


@pytest.mark.parametrize(("kind", "text"), POSITIVE)
def test_private_data_is_replaced_and_counted(kind: str, text: str) -> None:
    result = redact(text)
    assert result.counts == {kind: 1}
    assert f"<{kind.upper()}>" in result.text


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_only_looks_private_is_left_alone(text: str) -> None:
    assert redact(text).text == text
    assert not redact(text).counts


#: What a text becomes: the whole value goes, with what belongs to it, and nothing else.
PHONES_BESIDE_OTHER_THINGS = [
    ("电话13812345678/13912345678", "电话<PHONE>/<PHONE>"),
    ("010-62345678/62345679", "<PHONE>"),
    ("010-62345678-801", "<PHONE>"),
    ("021-54321098-8006转", "<PHONE>转"),
    ("010-62345678转8", "<PHONE>"),
    ("手机13812345678QQ123456", "手机<PHONE>QQ123456"),
    ("Tel13812345678", "Tel<PHONE>"),
    ("13812345678V信", "<PHONE>V信"),
    ("008613812345678", "<PHONE>"),
    ("0755 8888 6666", "<PHONE>"),
    ("86-755-86012345", "<PHONE>"),
    ("010－62345678", "<PHONE>"),
    ("415 555 2671", "<PHONE>"),
    ("415-5552671", "<PHONE>"),
    ("(415)-555-2671", "<PHONE>"),
    ("212/555-0123, ext. 4", "<PHONE>"),
    ("212-555-0123 ext. 4", "<PHONE>"),
    ("+1-613-555-0122x12", "<PHONE>"),
    ("+1/804/555-0145", "<PHONE>"),
    ("iban de44500105175407324931", "iban <IBAN>"),
    ("ID110101199003071233", "ID<ID_NUMBER>"),
    ("110101 19900307 1233", "<ID_NUMBER>"),
]
#: Numbers as people dial them at home are private behind a word that calls them so, and nowhere else.
NATIONAL_PHONES = [
    ("电话：", "01062345678"),
    ("Tel. ", "030 12345678"),
    ("Tél : ", "06 12 34 56 78"),
    ("Telefon: ", "030/1234567"),
    ("call ", "0161 496 0345"),
    ("Call me on ", "07700 900123"),
    ("cell: ", "4155552671"),
    ("電話 ", "03-1234-5678"),
    ("тел. ", "8 (495) 123-45-67"),
    ("台北电话", "(02)2345-6789"),
]


EMAILS = [
    ("müller@example.de", "<EMAIL>"),
    ("o'brien@example.ie said", "<EMAIL> said"),
    ("an 'jane@example.org' quoted", "an '<EMAIL>' quoted"),
    ("info@müller.de", "<EMAIL>"),
    ("иван@пример.рф", "<EMAIL>"),
    ("γιώργος@παράδειγμα.ελ", "<EMAIL>"),
    ("请写信给张三@例子.公司", "请写<EMAIL>"),
    ("zhangsan＠163．com", "<EMAIL>"),
    ("ｌｉ＠１６３．ｃｏｍ", "<EMAIL>"),
    ("_bob@example.com", "<EMAIL>"),
    ("--jane@example.org", "--<EMAIL>"),
    ("bob@example.com-based", "<EMAIL>-based"),
    ("a@b.com或c@d.com，x@163.com或www.b.com", "<EMAIL>或<EMAIL>，<EMAIL>或www.b.com"),
    ("jane@example.es(Jane)", "<EMAIL>(Jane)"),
    ("关注我们@example.com", "关注我们@example.com"),
    ("git@github.com:owner/repository.git", "git@github.com:owner/repository.git"),
    ("mail git@ann.example.dev", "mail <EMAIL>"),
    ("x@np.linalg.inv(y)", "x@np.linalg.inv(y)"),
    ("lodash@4.17.21.tgz and logo@2x.png", "lodash@4.17.21.tgz and logo@2x.png"),
]


@pytest.mark.parametrize(("text", "redacted"), EMAILS)
def test_an_address_goes_whole_in_any_alphabet(text: str, redacted: str) -> None:
    assert redact(text).text == redacted


@pytest.mark.parametrize(
    "text",
    [
        "版本号：5.14.22.9",
        "ver 12.1.3.77",
        "Ver:12.1.3.77",
        "version is 12.1.3.77",
        "version number 2.4.6.12",
        "12.34.56.78 版本",
        "升级到14.22.3.10版",
        "from version 12.4.6.1 to 12.4.6.2",
        "OpenSSL 1.1.1.1",
        "Kernel 5.15.90.1",
        "iOS 16.1.20.56",
        "固件12.1.3.77",
        "更新至12.1.3.77",
        "微信8.0.47.25",
        "EC 3.4.21.35",
        "Opera/12.16.3.4",
        "libc 2.31.0.9",
        "12.2.13.4-rc1",
        "https://example.org/wiki/12.34.56.78",
    ],
)
def test_four_numbers_of_a_version_or_an_enzyme_are_no_address(text: str) -> None:
    assert redact(text).text == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("the version at 12.34.56.78", "the version at <IP>"),
        ("203.0.113.7 and 198.51.100.23", "<IP> and <IP>"),  # set aside for examples, like example.com
        ("http://93.184.216.34/index.html", "http://<IP>/index.html"),
        ("http://[2606:4700:4700::1111]/", "http://[<IP>]/"),
        ("2607:f8b0:4005:805::200e.", "<IP>."),
        ("IP地址为2408:8207:1850:abcd::1的用户", "IP地址为<IP>的用户"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "<IP>"),
        ("fe80::1ff:fe23:4567:890a, ::1, fd00::12", "fe80::1ff:fe23:4567:890a, ::1, fd00::12"),
        ("std::string, a::b::c, 2001::name, 10:30:45", "std::string, a::b::c, 2001::name, 10:30:45"),
        ("2024:10:30 12:00:00, 00:1A:2B:3C:4D:5E, 21:9:3", "2024:10:30 12:00:00, 00:1A:2B:3C:4D:5E, 21:9:3"),
    ],
)
def test_public_addresses_of_both_lengths_are_private(text: str, redacted: str) -> None:
    assert redact(text).text == redacted


@pytest.mark.parametrize(("text", "redacted"), PHONES_BESIDE_OTHER_THINGS)
def test_a_number_goes_whole_whatever_stands_beside_it(text: str, redacted: str) -> None:
    assert redact(text).text == redacted


@pytest.mark.parametrize(("word", "number"), NATIONAL_PHONES)
def test_a_national_number_is_private_where_it_is_called_a_phone_number(word: str, number: str) -> None:
    assert redact(word + number).text == f"{word}<PHONE>"
    assert redact(f"part {number}").text == f"part {number}"


@pytest.mark.parametrize(
    "text",
    [
        "deadbeef13812345678 and 13812345678abcdef, 0x13812345678, img_13812345678",
        "13812345678×2=27624691356, 13812345678/2, 3.13812345678, 13812345678.50",
        "neutron Compton wavelength 1.319 590 9068 e-15, a ratio of 1.819 200 0653 e-4",
        "Fibonacci: 144 233 377 610 987 1597",
        "the phone came on 05.06.2007 10:30, called 3310",
        "order 204-1234567-1234567, serial 0755-1234-5678-9012",
    ],
)
def test_a_number_in_a_hash_a_formula_or_a_row_is_no_phone_number(text: str) -> None:
    assert redact(text).text == text


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("订单编号 ", ""),
        ("￥", ""),
        ("$", ""),
        ("USD ", ""),
        ("QQ群：", ""),
        ("合同编号", ""),
        ("order number ", ""),
        ("播放量", ""),
        ("投资", "元"),
        ("约合", "美元"),
        ("有", "人"),
        ("共", "次"),
        ("", " bytes"),
        ("ran ", " km"),
        ("学号：", ""),
        ("粉丝数", ""),
        ("a=b×", ""),
        ("13511112222 + 2 = ", ""),
        ("注册用户", "名"),
        ("第", "号专利"),
        ("", " users signed up"),
    ],
)
def test_an_amount_an_order_or_a_group_is_no_phone_number(before: str, behind: str) -> None:
    text = f"{before}13812345678{behind}"
    assert redact(text).text == text


def test_words_that_only_begin_like_a_unit_or_end_like_a_number_do_not_hide_a_phone_number() -> None:
    assert redact("请打13812345678人工服务，13812345678个人微信").counts == {"phone": 2}
    assert redact("微信同号 13912345678，13812345678名字叫小李，手机号13712345678").counts == {"phone": 3}
    assert redact("王经理：139 0000 1234").counts == {"phone": 1}


def test_handles_are_private_in_social_text_only() -> None:
    post = "thanks @jane_doe and @bob@mastodon.social, see @小明 too"
    assert redact(post, "social").text == "thanks <USER> and <USER>, see <USER> too"
    assert redact("the @property decorator", "wikipedia").counts == {}


@pytest.mark.parametrize(
    "text",
    [
        "Add @Autowired and @Component to it, then @Test passes.",
        "@Override public void run()",
        "@media (max-width: 600px)",
        "use @property in Python",
        '@app.route("/") and @retry(times=3)',
        "https://medium.com/@writer/post",
    ],
)
def test_what_code_marks_is_nobody(text: str) -> None:
    assert redact(text, "social").text == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("@小明我觉得这个方案不错因为它很简单。", "<USER>案不错因为它很简单。"),
        ("@小明 你好", "<USER> 你好"),
        ("回复@小红帽:说得对", "回复<USER>:说得对"),
        ("//@阿强：转发微博", "//<USER>：转发微博"),
        ("@北京大学新闻与传播学院团委 通知", "<USER> 通知"),
        ("感谢@Tony老师 分享", "感谢<USER> 分享"),
        ("谢谢@jane_doe的分享。", "谢谢<USER>的分享。"),
        ("@Jane(friend) and @Max too", "<USER>(friend) and <USER> too"),
    ],
)
def test_a_handle_goes_and_the_sentence_stays(text: str, redacted: str) -> None:
    assert redact(text, "social").text == redacted


def test_everything_in_one_text_is_found_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    result = redact("a@b.org 13812345678 8.8.4.4 13912345678 4111111111111111")
    assert result.text == "<EMAIL> <PHONE> <IP> <PHONE> <BANK_CARD>"
    assert result.counts == {"email": 1, "phone": 2, "ip": 1, "bank_card": 1}
    assert not caplog.records


@given(st.text(st.sampled_from("0123456789 -.+()@aXDE１８８：,\n"), max_size=80))
def test_redaction_settles(text: str) -> None:
    once = redact(text, "social").text
    assert redact(once, "social").text.count("<") >= once.count("<")


def test_a_long_line_of_digits_takes_linear_time() -> None:
    assert redact("1 " * 200_000).counts == {}
    assert redact("a." * 200_000 + "@").counts == {}
    assert redact("a@" + "a." * 200_000).counts == {}
    assert redact("müller'" * 60_000 + "@" + "ä-" * 60_000).counts == {}
    assert redact("a.b@" * 100_000).counts == {}
    assert redact("张三@例子" * 60_000).counts == {}
    assert redact("@小明我觉得" * 60_000, "social").counts.keys() <= {"user"}
    assert redact("@" * 100_000 + "a.b-" * 60_000, "social").counts == {}
    assert redact("2001:" * 100_000).counts == {}
    assert redact("version 1.2." * 50_000 + "9.9.9.9").counts.keys() <= {"ip"}
    assert redact("010-62345678/1234567" * 20_000).counts.keys() <= {"phone"}
    assert redact("(0 " * 100_000 + "tel" * 100_000).counts == {}
    assert redact("1381234567" * 40_000).counts == {}
    assert redact("电话13912345678 " * 100_000).counts == {"phone": 100_000}


def labelled() -> list[tuple[str, str, str]]:
    """(kind, language, text) of every line of the labelled set; kind `none` where nothing is private."""
    lines = (Path(__file__).parent / "data/private_data.tsv").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines if not line.startswith("#")]  # type: ignore[misc]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_precision_and_recall_on_the_labelled_set_hold(lang: str) -> None:
    """A text counts as found when its own kind is replaced and no other, and as a false alarm when anything is."""
    mine = [(kind, text) for kind, its, text in labelled() if its == lang]
    positive = [(kind, text) for kind, text in mine if kind != "none"]
    found = [list(redact(text, "social" if kind == "user" else "").counts) == [kind] for kind, text in positive]
    false = [text for kind, text in mine if kind == "none" and redact(text).counts]
    assert len(positive) >= 220 and len(mine) - len(positive) >= 270
    assert sum(found) / len(positive) >= 0.99
    assert sum(found) / (sum(found) + len(false)) >= 0.99


def test_an_address_with_a_long_domain_goes_whole_and_an_amount_behind_a_word_for_a_phone_stays() -> None:
    assert redact("mail a@" + "abcdefghi." * 20 + "com now").text == "mail <EMAIL> now"
    assert redact("a text of 2345678901 bytes").counts == {}
    assert redact("call 2345678901").counts == {"phone": 1}
