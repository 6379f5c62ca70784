"""Arithmetic of `{{#expr: …}}`: numbers, `+ - * / ^`, `div`, `mod`, `round` and brackets; nothing else."""

from __future__ import annotations

import math
import re
from typing import Final

_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+|[-+*/^()−×]|div\b|mod\b|round\b)", re.IGNORECASE)
_LONGEST: Final = 200
_STRENGTH: Final = {"round": 1, "+": 2, "-": 2, "*": 3, "/": 3, "div": 3, "mod": 3, "^": 5}


def evaluate(expression: str) -> str:
    """The value as MediaWiki shows it, empty for anything that is no plain arithmetic."""
    tokens = _tokens(expression)
    if not tokens:
        return ""
    try:
        result, rest = _operation(tokens, 0, 0)
    except (ValueError, ZeroDivisionError, OverflowError, IndexError):
        return ""
    if rest != len(tokens) or abs(result) > 1e15:
        return ""
    return f"{result:.0f}" if result == int(result) else f"{result:.12g}"


def _tokens(expression: str) -> list[str]:
    expression = expression.replace(",", "").strip()
    if len(expression) > _LONGEST:
        return []
    tokens, position = [], 0
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if not found:
            return []
        tokens.append(found[1].lower().replace("−", "-").replace("×", "*"))
        position = found.end()
    return tokens


def _operation(tokens: list[str], position: int, least: int) -> tuple[float, int]:
    """Precedence climbing: operators that bind at least so strongly."""
    left, position = _operand(tokens, position)
    while position < len(tokens) and (strength := _STRENGTH.get(tokens[position], 0)) > least:
        operator = tokens[position]
        right, position = _operation(tokens, position + 1, strength)
        left = _apply(operator, left, right)
    return left, position


def _operand(tokens: list[str], position: int) -> tuple[float, int]:
    symbol = tokens[position]
    if symbol in "+-":
        operand, position = _operation(tokens, position + 1, 5)  # binds tighter than ^
        return (-operand if symbol == "-" else operand), position
    if symbol == "(":
        operand, position = _operation(tokens, position + 1, 0)
        if tokens[position] != ")":
            raise ValueError
        return operand, position + 1
    return float(symbol), position + 1


def _apply(operator: str, left: float, right: float) -> float:
    if operator == "round":
        scale = 10.0 ** max(-9, min(9, int(right)))
        return int(abs(left) * scale + 0.5) / scale * (1 if left >= 0 else -1)
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if operator == "mod":
        return float(int(left) % int(right))
    if operator == "^":
        return math.pow(left, right)
    return left / right
