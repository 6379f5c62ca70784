"""What is beside an article leaves it; what belongs to it stays."""

from hypothesis import given
from hypothesis import strategies as st

from lmflow.extract.article import extract
from lmflow.extract.boilerplate import prune, recover, tidy
from lmflow.extract.page_tree import parse
from tests.extract.test_article import ENGLISH

URL = "https://news.example/2026/story.html"


def page(body: str, head: str = "") -> bytes:
    title = "<title>Fire in the Highlands - The Paper</title>"
    return f"<html lang=en><head><meta charset=utf-8>{title}{head}</head><body>{body}</body></html>".encode()


def story(*between: str) -> str:
    first, *rest = (f"<p>{paragraph}</p>" for paragraph in ENGLISH * 2)
    return f"<article><h1>Fire in the Highlands</h1>{first}{''.join(between)}{''.join(rest)}</article>"


def test_captions_embedded_posts_and_lists_of_links_are_not_the_article() -> None:
    article = extract(
        page(
            story(
                "<figure><img src=a.jpg><figcaption>Smoke above the ridge. Photo: A. Camera</figcaption></figure>",
                "<blockquote class='twitter-tweet'><p>What a terrible day it was for all of us there!</p></blockquote>",
                "<ul><li><a href=/1>Rain is expected on Sunday</a></li><li><a href=/2>Insurers count</a></li></ul>",
                "<ul><li>Six houses were lost in the first night of the fire.</li><li>Two roads are closed.</li></ul>",
            )
        ),
        URL,
    )
    assert article.title == "Fire in the Highlands"
    for beside in ("Photo: A. Camera", "terrible day", "Rain is expected"):
        assert beside not in article.text
    assert "Six houses were lost" in article.text
    assert all(paragraph in article.text for paragraph in ENGLISH)


def test_the_next_article_below_the_first_is_another_article() -> None:
    other = "".join(f"<p>The minister spoke about bank number {n} for a long while, they said.</p>" for n in range(9))
    article = extract(page(story() + f"<article><h1>Banks and their interest</h1>{other}</article>"), URL)
    assert "minister" not in article.text and ENGLISH[-1] in article.text


def test_a_story_told_in_captions_and_one_behind_a_teaser_are_kept() -> None:
    figures = "".join(f"<figure><img src={n}.jpg><figcaption>{ENGLISH[n]}</figcaption></figure>" for n in range(3))
    article = extract(page(f"<article><h1>In pictures</h1>{figures}<p>Look.</p></article>"), URL)
    assert all(caption in article.text for caption in ENGLISH)
    teaser = "<article><h1>Tomorrow</h1><p>More about it.</p></article>"
    assert ENGLISH[-1] in extract(page(teaser + story()), URL).text


def test_what_a_page_states_as_its_body_decides_what_is_beside_it() -> None:
    stated = " ".join(ENGLISH * 2).replace('"', "")
    head = f'<script type="application/ld+json">{{"@type":"NewsArticle","articleBody":"{stated}"}}</script>'
    beside = "<p>Subscribe to our letter and get the best of the week in your mailbox every Friday morning.</p>"
    assert "mailbox" not in extract(page(story(beside, beside.replace("Friday", "Sunday")), head), URL).text
    assert "Fire in the Highlands" not in extract(page(story(), head), URL).text


def test_a_statement_that_is_only_a_summary_decides_nothing() -> None:
    lines = ["One two three four five six.", "Seven eight nine ten eleven twelve.", "Thirteen fourteen fifteen."]
    assert tidy(lines, "", "One two three four five six.") == lines
    assert tidy(lines, "", "Something else entirely, about other things, that is as long as the article is.") == lines


def test_a_part_that_the_extractor_lost_is_found_again_in_the_page() -> None:
    words = [" ".join(f"word{n}{m}" for m in range(12)) for n in range(6)]
    paged = ["Menu", *words, "Subscribe to the letter now and here"]
    assert recover(words[:2], paged, " ".join(words)) == words
    assert recover(words[:2], paged, "") == words[:2]
    assert recover(words[:2], ["Menu", *words[:3]], " ".join(words)) == words[:2]


def test_a_notice_repeated_between_paragraphs_is_dropped() -> None:
    notice = "External content is not available here"
    lines = [ENGLISH[0], notice, ENGLISH[1], notice, ENGLISH[2], notice]
    assert tidy(lines, "", "") == ENGLISH


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=8), st.text(max_size=40), st.text(max_size=200))
def test_tidying_only_ever_leaves_lines_out(lines: list[str], title: str, stated: str) -> None:
    left = iter(lines)
    assert all(line in left for line in tidy(lines, title, stated))


def test_a_page_that_is_utf8_is_utf8_whatever_it_is_called() -> None:
    body = story().replace("Monday", "Märchenmontag").replace("Highlands", "Hochländer")
    html = page(body).replace(b"charset=utf-8", b"charset=iso-8859-1")
    assert extract(html, URL, "iso-8859-1").title == "Fire in the Hochländer"
    assert "Märchenmontag" in extract(html, URL, "iso-8859-1").text


def test_of_scripts_only_statements_of_the_article_stay() -> None:
    scripts = "<script>let a = 1</script><script type='application/ld+json'>{}</script><style>p {}</style>"
    tree = parse(page(f"<p>Before{scripts}after</p>", scripts + "<link rel=x href=y>").decode())
    assert tree is not None
    prune(tree)
    assert [script.get("type") for script in tree.iter("script", "style", "link")] == ["application/ld+json"] * 2
    assert tree.find(".//p").text_content() == "Before{}after"
