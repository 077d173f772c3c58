"""The text of an OpenQASM program: comments, statements, places."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Node = tuple[int, str, "list[Any] | None"]
"""Offset in the text, the statement without its end, and the nodes of its block if it has one."""

Fail = Callable[..., Exception]

_COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"', re.DOTALL)
_MARK = re.compile(r"[;{}]")
_DEPTH_MAX = 100


def blank_comments(text: str) -> str:
    """The text with comments turned into blanks of the same length, so that offsets stay."""
    if "//" not in text and "/*" not in text:
        return text
    return _COMMENT.sub(
        lambda m: m.group() if m.group()[0] == '"' else re.sub(r"[^\n]", " ", m.group()), text
    )


def unclosed_comment(blanked: str) -> int:
    """Offset of a /* that is left after `blank_comments`; -1 where there is none."""
    if "/*" not in blanked:
        return -1
    return next((m.start() for m in re.finditer(r'"[^"\n]*"|/\*', blanked) if m.group() == "/*"), -1)


def place(text: str, offset: int) -> tuple[int, int, str]:
    """1-based line and column of an offset, and the line's text."""
    offset = min(max(offset, 0), len(text))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start:] if end < 0 else text[start:end]
    return text.count("\n", 0, offset) + 1, offset - start + 1, line.rstrip("\r")[:200]


def split(text: str, fail: Fail) -> list[Node]:
    """The statements of a program, blocks nested."""
    if "{" not in text and "}" not in text:
        nodes: list[Node] = []
        offset = 0
        parts = text.split(";")
        for part in parts[:-1]:
            nodes.append((offset, part, None))
            offset += len(part) + 1
        _check_end(parts[-1], offset, fail)
        return nodes
    return _split_blocks(text, fail)


def _split_blocks(text: str, fail: Fail) -> list[Node]:
    nodes: list[Node] = []
    stack: list[tuple[list[Node], int, str]] = []
    offset = 0
    for mark in _MARK.finditer(text):
        statement = text[offset : mark.start()]
        if mark.group() == ";":
            nodes.append((offset, statement, None))
        elif mark.group() == "{":
            stack.append((nodes, offset, statement))
            nodes = []
            if len(stack) > _DEPTH_MAX:
                raise fail(mark.start(), "blocks are nested too deeply", f"at most {_DEPTH_MAX} levels")
        else:
            _check_end(statement, offset, fail)
            if not stack:
                raise fail(mark.start(), "a } closes no block", "every } has its {")
            outer, begin, head = stack.pop()
            outer.append((begin, head, nodes))
            nodes = outer
        offset = mark.end()
    if stack:
        raise fail(stack[-1][1] + len(stack[-1][2]), "a { is never closed", "every { has its }")
    _check_end(text[offset:], offset, fail)
    return nodes


def _check_end(rest: str, offset: int, fail: Fail) -> None:
    if rest.strip():
        end = offset + len(rest.rstrip())
        raise fail(end, f"the statement {rest.strip()[:60]!r} does not end", "a statement ends with ;")
