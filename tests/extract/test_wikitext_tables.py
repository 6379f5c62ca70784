"""Tables come out row by row, without attributes, and boxes do not come out at all."""

import pytest

from lmflow.extract.wikitext import to_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (
            '{| class="wikitable"\n|+ Results\n! Year !! Votes\n|-\n| 1994 || style="text-align:right" | 12,345\n|}',
            "Results\nYear | Votes\n1994 | 12,345",
        ),
        (
            '{|\n! scope="row" | 1998\n| align=right | 5\n| {{nowrap|6}}\n|-\n| colspan=3 | [[A|B]]\n|}',
            "1998 | 5 | 6\nB",
        ),
        ("{|\n| one\nmore\n* item\n| || two\n|}", "one more; item | two"),
        ("{|\n|\n* one\n* two\n|\n* three\n|}", "- one\n- two\n- three"),
        ("{|\n| a\n|\n{|\n| b || c\n|}\n| d\n|}\nafter", "a\nb | c\nd\nafter"),
        (
            "<table border=1><tr><th>T</th><th>P</th></tr><tr><td>R</td><td align=right>7</td></tr></table>",
            "T | P\nR | 7",
        ),
        ('before\n{| class="infobox"\n| a || b\n|}\nafter', "before\nafter"),
        ('before\n{| class="navbox collapsible"\n|\n{|\n| b\n|}\n|}\nafter', "before\nafter"),
        ("{|\n| a || b\n\n== Next ==\nprose", "a | b\n== Next ==\nprose"),  # nobody closed it
        ("{{Infobox\n| x = {| \n| y\n}}\n{|\n| a\n|}", "a"),  # a table that a template swallowed closes nothing
        ("{|\n! A !! B<br />(m) !! C\n|-\n| 1 || 2<br>x || 3\n|}", "A | B (m) | C\n1 | 2 x | 3"),
        ("{|\n| 1<br>wow!!\n|}", "1 wow!!"),
        (
            '{|\n| rowspan=2 {{won}} || rowspan="2" align=center {{nom}}\n! style="a:b" {{n/a}}\n|}',
            "Won | Nominated | N/A",
        ),
        ("{|\n| width=5 m || x=1 and y || align=left; b\n|}", "width=5 m | x=1 and y | align=left; b"),
        # Cells whose template nobody can read, beside cells with attributes.
        (
            '{|\n|{{Zz}}||a="b"|{{Zz}}||rowspan=3|{{Zz}}||style="c:d"|-5|||x | y\n|-\n|{{Zz}}||a=b|{{Zz}}\n|}',
            "-5 | x | y",
        ),
        (":{|\n! +/- !! x\n|-\n| -5 || 6\n|}", "+/- | x\n-5 | 6"),
    ],
)
def test_rows_of(markup: str, text: str) -> None:
    assert to_text(markup, "en") == text
