"""Variables in the text of Compose files, by Compose's own rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATOR = re.compile(r":?[-?+]")


def substituted(text: str, environ: Mapping[str, str]) -> str:
    """`text` with ``$NAME``, ``${NAME}``, ``${NAME:-else}``, ``${NAME:?message}`` and ``${NAME:+instead}``
    replaced; ``$$`` is one dollar sign. Without the colon an empty variable counts as set. What stands after
    the operator may have variables again.

    Unlike Compose, which warns and goes on with nothing, a variable that is not set is an error.

    Raises:
        ValueError: a variable that is not set, or broken braces, in words.
    """
    replaced, rest = _until(text, environ, closing=False)
    if rest:
        raise ValueError(f"cannot read the variables of {text!r}")
    return replaced


def _until(text: str, environ: Mapping[str, str] | None, *, closing: bool) -> tuple[str, str]:
    """Replace up to the end, or up to the brace that closes; returns what comes after it too.

    `environ` None is for text that will not be used: every variable is empty, and none is missed.
    """
    parts: list[str] = []
    while text:
        if text[0] == "}" and closing:
            return "".join(parts), text
        if text[0] != "$":
            end = min(
                (at for at in (text.find("$"), text.find("}") if closing else -1) if at >= 0), default=-1
            )
            parts.append(text if end < 0 else text[:end])
            text = "" if end < 0 else text[end:]
        elif text.startswith("$$"):
            parts.append("$")
            text = text[2:]
        elif text.startswith("${"):
            value, text = _braced(text[2:], environ)
            parts.append(value)
        elif name := NAME.match(text, 1):
            parts.append(_value(name[0], environ))
            text = text[name.end() :]
        else:
            raise ValueError("a dollar sign without a name; write $$ for the sign itself")
    return "".join(parts), ""


def _braced(text: str, environ: Mapping[str, str] | None) -> tuple[str, str]:
    """What stands for the variable whose braces have just been opened, and the text after them."""
    name = NAME.match(text)
    if name is None:
        raise ValueError("${ must be followed by a name of letters, digits and '_'")
    operator = OPERATOR.match(text, name.end())
    if operator is None:
        if not text.startswith("}", name.end()):
            raise ValueError(f"${{{name[0]} has no closing brace, or an operator other than :- :? :+ - ? +")
        return _value(name[0], environ), text[name.end() + 1 :]
    found = environ.get(name[0]) if environ is not None else ""
    is_set = found is not None and (found != "" or not operator[0].startswith(":"))
    sign = operator[0][-1]
    used = is_set if sign == "+" else not is_set
    word, rest = _until(text[operator.end() :], environ if used else None, closing=True)
    if not rest.startswith("}"):
        raise ValueError(f"${{{name[0]} has no closing brace")
    if sign == "?" and not is_set and environ is not None:
        raise ValueError(f"the variable {name[0]} is not set: {word or 'it is required'}")
    if sign == "+":
        return word if is_set else "", rest[1:]
    return (found or "") if is_set else word, rest[1:]


def _value(name: str, environ: Mapping[str, str] | None) -> str:
    if environ is None:
        return ""
    if name not in environ:
        raise ValueError(f"the variable {name} is not set; set it, or write ${{{name}:-}} for an empty text")
    return environ[name]
