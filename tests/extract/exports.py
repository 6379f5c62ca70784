"""MediaWiki exports written by tests."""

HEAD = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n<siteinfo/>\n'
TAIL = "</mediawiki>"


def page_xml(number: int, text: str = "Text", ns: int = 0, extra: str = "") -> str:
    """One page: id `number`, revision `number` + 1000."""
    return (
        f"<page><title>T{number}</title><ns>{ns}</ns><id>{number}</id>{extra}<revision><id>{number + 1000}</id>"
        f"<timestamp>2026-01-02T03:04:05Z</timestamp><contributor><id>7</id></contributor><model>wikitext</model>"
        f'<text bytes="4" xml:space="preserve">{text}</text></revision></page>\n'
    )
