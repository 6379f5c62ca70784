"""Formulas (`<math>`, `<chem>`): as readable text, as their TeX, or as a placeholder."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final, Literal

#: `readable`: `E=mc²`, and a placeholder for what takes more than that; `tex`: the source; `placeholder`: always.
Formulas = Literal["readable", "tex", "placeholder"]
PLACEHOLDER: Final = "[formula]"
_LONGEST: Final = 200  # characters of TeX that are made readable
_DATA: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_SIGNS: Final[dict[str, str]] = {
    **_DATA["signs"],
    **{word: word for word in _DATA["words"].split()},
    **dict.fromkeys(_DATA["nothing"].split(), ""),
    **dict.fromkeys(_DATA["gaps"].split(), " "),
}
_SPACES = re.compile(r"\\[,;:! ]|~")
_SIGN = re.compile(r"\\([A-Za-z]+) ?")
_TEXT = re.compile(
    r"\\(?:text|mathrm|mathbf|mathit|mathsf|mathcal|mathbb|mbox|operatorname|rm|bf|textrm|textbf|ce)\s*\{([^{}\\]*)\}"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}\\]*)\}\s*\{([^{}\\]*)\}|(\d)(\d))")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}\\]*)\}")
_SCRIPT = re.compile(r"([\^_])(?:\{([^{}\\]*)\}|([^\s{}\\]))")
_RAISED: Final = str.maketrans("0123456789+-−n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
_LOWERED: Final = str.maketrans("0123456789+-−", "₀₁₂₃₄₅₆₇₈₉₊₋₋")
_SIMPLE_SCRIPT = re.compile(r"[-+−\d]+|n")
_DOUBLED = re.compile(r"(?<=[{}\[\]|])(?=[{}\[\]|])")


def formula(tex: str, formulas: Formulas) -> str:
    """One formula as text in a line.

    Args:
        tex: what stands between the tags.
        formulas: how to write it. Doubled braces of TeX get a space between them, which TeX does not mind, so that no
            text looks like leftover markup.
    """
    tex = " ".join(tex.split())
    if formulas == "tex":
        return _DOUBLED.sub(" ", tex).replace("style=", "style{}=")
    if formulas == "placeholder" or len(tex) > _LONGEST:
        return PLACEHOLDER
    return _readable(tex)


def _readable(tex: str) -> str:
    text = _SPACES.sub(" ", tex).replace("\\%", "%").replace("\\$", "$")
    text = _SIGN.sub(lambda sign: _SIGNS.get(sign[1], sign[0]), _TEXT.sub(r"\1", text))
    for _ in range(6):  # innermost first
        before = text
        text = _SCRIPT.sub(_script, _ROOT.sub(_root, _FRACTION.sub(_fraction, text)))
        if text == before:
            break
    text = " ".join(text.split())
    return PLACEHOLDER if not text or "\\" in text or "{" in text or "}" in text or "&" in text else text


def _script(script: re.Match[str]) -> str:
    content = (script[2] if script[2] is not None else script[3]).strip()
    if _SIMPLE_SCRIPT.fullmatch(content):
        return content.translate(_RAISED if script[1] == "^" else _LOWERED)
    if content in ("°", "′"):
        return content
    return f"{script[1]}{content}" if len(content) < 2 else f"{script[1]}({content})"


def _fraction(found: re.Match[str]) -> str:
    above, below = (found[1], found[2]) if found[1] is not None else (found[3], found[4])
    return f"{_grouped(above)}/{_grouped(below)}"


def _root(found: re.Match[str]) -> str:
    return f"√{_grouped(found[1])}"


def _grouped(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"[\w.]*", text) else f"({text})"
