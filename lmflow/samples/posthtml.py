"""Plain posts as the HTML that a Mastodon server sends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from lmflow.samples.documents import Post

_URL = re.compile(r"https?://[^\s<>\"]+")


def content_html(post: Post) -> str:
    """A post as HTML: paragraphs, line breaks, links; quoted lines (`> `) become a blockquote, as some servers do."""
    blocks = [f"<p>{escape(post.subject)}</p>"] if post.subject else []
    for block in re.split(r"\n[ \t]*\n+", post.text.strip("\n")):
        lines = block.split("\n")
        start = 0
        for end in range(1, len(lines) + 1):
            if end == len(lines) or lines[end].startswith(">") != lines[start].startswith(">"):
                blocks.append(_paragraph(lines[start:end]))
                start = end
    return "".join(blocks)


def _paragraph(lines: Sequence[str]) -> str:
    quoted = lines[0].startswith(">")
    stripped = [re.sub(r"^>\s?", "", line) if quoted else line for line in lines]
    html = "<p>" + "<br />".join(_linked(line) for line in stripped) + "</p>"
    return f"<blockquote>{html}</blockquote>" if quoted else html


def _linked(line: str) -> str:
    """Escaped text with its URLs as links."""
    parts, end = [], 0
    for found in _URL.finditer(line):
        url = escape(found[0])
        scheme, rest = url.split("//", 1)
        parts.append(escape(line[end : found.start()], quote=False))
        parts.append(
            f'<a href="{url}" target="_blank" rel="nofollow noopener noreferrer" translate="no">'
            f'<span class="invisible">{scheme}//</span><span class="">{rest}</span></a>'
        )
        end = found.end()
    return "".join(parts) + escape(line[end:], quote=False)
