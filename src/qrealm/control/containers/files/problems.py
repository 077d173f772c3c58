"""What is wrong with a file: collected, sorted by line, and raised together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qrealm.base.errors import ConfigError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `line` counts from 1, None where there is none to name."""

    line: int | None
    key: str
    message: str
    hint: str = ""


def key_text(path: Path) -> str:
    """A path of keys and indices, as ``containers[1].image``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def suggestion(word: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"``, or nothing where no known word is near, and not just one begins so."""
    words = list(known)
    longer = [each for each in words if word and each.startswith(word)]
    close = longer if len(longer) == 1 else difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def raise_problems(filename: str, problems: Sequence[Problem]) -> None:
    """Raise one ConfigError for all of them, if there are any; its attributes are those of the first."""
    if not problems:
        return
    first, *others = sorted(set(problems), key=lambda problem: (problem.line or 0, problem.key))
    lines = [first.message]
    for other in others:
        place = ":".join(str(part) for part in (filename, other.line) if part)
        lines.append(f"{place}: {other.message}" if place else other.message)
    hint = next((problem.hint for problem in (first, *others) if problem.hint), "")
    raise ConfigError("\n".join(lines), file=filename, line=first.line, key=first.key, hint=hint) from None
