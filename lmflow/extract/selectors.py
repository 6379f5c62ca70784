"""trafilatura's XPath expressions over class, id and role, answered by a loop: a third of the time of a page.

lxml answers an XPath `re:test` by a call into Python with two new node sets, for each element and each test, and even
`contains` walks the page at a microsecond an element. What these expressions ask is about an element's own attributes,
and few values are on a page: here each value is judged once a page. Read from trafilatura's own expressions, so that
its words stay its own; an expression of another form is left to lxml.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from importlib import import_module
from itertools import islice
from typing import Any, Final

Test = Callable[[str], bool]

_LITERAL = re.compile(r"'([^']*)'")
#: `.//*[self::div or self::p][question]…`, literals by number, in brackets with `[1]` behind where the first is meant.
_FORM = re.compile(
    r"(?P<bracket>\()?\.//(?P<name>\*|\w+)(?:\[ ?(?P<names>self::\w+(?: or self::\w+)*) ?\])?"
    r"(?:\[ ?(?P<question>[^\[\]]*?) ?\])?(?P<more>(?:\[[^\[\]]*\])*)(?(bracket)\)\[1\])"
)
_ATTRIBUTES = r"(@[\w-]+(?:\|@[\w-]+)*)"
_QUESTION = re.compile(
    rf"(?:(?P<does>re:test|contains|starts-with)\({_ATTRIBUTES}, ?'(\d+)'(?:, ?'(\d+)')?\)"
    rf"|(?P<maps>contains)\(translate\({_ATTRIBUTES}, ?'(\d+)', ?'(\d+)'\), ?'(\d+)'\)"
    rf"|(?P<equals>@[\w-]+) ?= ?'(\d+)'|(?P<has>@[\w-]+))(?: or (?=\S)|$)"
)
_UNION = re.compile(r"\|(?=\.//)")


@cache
def install() -> None:
    """Have trafilatura choose elements by loops; what it chooses is the same."""
    from trafilatura import xpaths

    baseline: Any = import_module("trafilatura.baseline")  # the package has a function of that name
    for expressions in (
        xpaths.RAW_TREE_PRUNE_XPATH,
        xpaths.REMOVE_COMMENTS_AND_LISTS_XPATH,
        xpaths.OVERALL_DISCARD_XPATH,
        xpaths.TEASER_DISCARD_XPATH,
        xpaths.DISCARD_IMAGE_ELEMENTS,
        xpaths.BODY_XPATH,
    ):
        expressions[:] = map(quick, expressions)
    baseline.BASIC_CLEAN_XPATH = quick(baseline.BASIC_CLEAN_XPATH)


def quick(expression: Any) -> Callable[[Any], list[Any]]:
    """An XPath expression as a function of a tree that gives the same elements.

    Of an expression that asks for a first element only the first is given, of a union its parts one after the other.

    Args:
        expression: a compiled lxml XPath; given back as it is when it has another form than those known here.
    """
    parts = [_Selector.read(part) for part in _UNION.split(expression.path.strip())]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or not all(part.is_whole for part in known[1:]):
        return expression  # type: ignore[no-any-return]
    if len(known) == 1:
        return known[0].choose if known[0].is_whole else partial(_confirmed, known[0], expression)
    return partial(_together, known) if known[0].is_whole else expression


def _confirmed(selector: _Selector, expression: Any, tree: Any) -> list[Any]:
    """The elements of an expression of which a selector knows a part: asked only where that part holds for one."""
    return expression(tree) if selector.choose(tree, 1) else []


def _together(selectors: Iterable[_Selector], tree: Any) -> list[Any]:
    return list(dict.fromkeys(element for selector in selectors for element in selector.choose(tree)))


class _Selector:
    """Elements below a tree by their names and by tests of their attributes, of which one must hold.

    `is_whole` says whether that is all that the expression asks.
    """

    def __init__(self, names: tuple[str, ...], first: bool, is_whole: bool) -> None:
        self._names, self._first, self.is_whole = names, first, is_whole
        self._tests: dict[str, list[Test]] = {}
        #: Of a union of attributes XPath looks at the one that comes first in the page.
        self._union_tests: list[tuple[frozenset[str], Test]] = []

    @classmethod
    def read(cls, expression: str) -> _Selector | None:
        """None for an expression of another form."""
        literals: list[str] = []

        def numbered(found: re.Match[str]) -> str:
            literals.append(found[1])
            return f"'{len(literals) - 1}'"

        form = _FORM.fullmatch(" ".join(_LITERAL.sub(numbered, expression).split()))
        if form is None or (form["question"] or "").startswith("self::"):
            return None
        names = tuple(re.findall(r"self::(\w+)", form["names"] or "")) or (form["name"],)
        first = form["bracket"] is not None or form["more"] == "[1]"
        selector = cls(names, first, form["more"] in ("", "[1]"))
        questions = form["question"] or ""
        return selector if not questions or selector._ask(questions, literals) else None

    def _ask(self, questions: str, literals: list[str]) -> bool:
        """Take the tests of a predicate; False when it has others than those known here."""
        at = 0
        for found in _QUESTION.finditer(questions):
            if found.start() != at:
                return False
            at = found.end()
            attributes, test = _test(found, literals)
            if found["has"] is None and test(""):
                return False  # would hold for an element without the attribute too
            names = attributes.replace("@", "").split("|")
            if len(names) == 1:
                self._tests.setdefault(names[0], []).append(test)
            else:
                self._union_tests.append((frozenset(names), test))
        return at == len(questions)

    def choose(self, tree: Any, most: int | None = None) -> list[Any]:
        """The elements, in order; only the first where the expression says so."""
        elements = tree.iterdescendants(*self._names)
        if self._tests or self._union_tests:
            elements = self._fitting(elements)
        return list(islice(elements, 1 if self._first else most))

    def _fitting(self, elements: Iterable[Any]) -> Iterator[Any]:
        tests = {name: _Verdicts(tests) for name, tests in self._tests.items()}
        union_tests = [(names, _Verdicts([test])) for names, test in self._union_tests]
        for element in elements:
            attributes = element.items()
            for name, value in attributes:
                if name in tests and tests[name][value]:
                    yield element
                    break
            else:
                for names, verdicts in union_tests:
                    value = next((value for name, value in attributes if name in names), None)
                    if value is not None and verdicts[value]:
                        yield element
                        break


class _Verdicts(dict[str, bool]):
    """Whether one of several tests holds for a value, kept."""

    def __init__(self, tests: list[Test]) -> None:
        super().__init__()
        self._tests = tests

    def __missing__(self, value: str) -> bool:
        verdict = False
        for test in self._tests:
            if test(value):
                verdict = True
                break
        self[value] = verdict
        return verdict


def _test(found: re.Match[str], literals: list[str]) -> tuple[str, Test]:
    """Attributes of a question, and what is asked of their value."""
    groups = [group for group in found.groups() if group is not None]
    kind, rest = groups[0], [literals[int(group)] for group in groups[1:] if group.isdigit()]
    if found["has"]:
        return kind, lambda _: True
    if found["equals"]:
        return kind, partial(str.__eq__, rest[0])
    if found["maps"]:
        table = str.maketrans(dict(zip(rest[0], rest[1], strict=True)))
        return groups[1], lambda value: rest[2] in value.translate(table)
    if kind == "contains":
        return groups[1], lambda value: rest[0] in value
    if kind == "starts-with":
        return groups[1], lambda value: value.startswith(rest[0])
    search: Final = re.compile(rest[0], re.I if rest[1:] == ["i"] else 0).search
    return groups[1], lambda value: search(value) is not None
