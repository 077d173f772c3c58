"""The text of LLVM's language: functions, blocks and instructions, as much of it as QIR uses.

Read here and not by LLVM, so that QIR needs no extra, pointers may be typed or opaque whatever the version of
LLVM, and malformed text cannot stop the process.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from qrealm.base.errors import ReadError, SyntaxReadError, UnsupportedError
from qrealm.circuits.formats.qasm_text import place


@dataclass(frozen=True, slots=True)
class Name:
    """A value that an instruction gave: ``%0``."""

    name: str


@dataclass(frozen=True, slots=True)
class Global:
    """The address of a global variable or function: ``@0``."""

    name: str


@dataclass(frozen=True, slots=True)
class Address:
    """A pointer made of a number: the way in which QIR names a qubit or a result."""

    number: int


Operand = Name | Global | Address | int | float | str
"""A name, a constant (integers as written, not yet wrapped), or the word of what cannot be computed with."""


@dataclass(frozen=True, slots=True)
class Code:
    """One instruction.

    Attributes:
        op: the opcode, such as ``"call"``.
        dest: name of the value that it gives, or "".
        args: operands.
        labels: blocks that it names, in order.
        word: the callee of a call, the predicate of a comparison.
        width: bits of its operands; 0 when they are no integers.
        to_width: bits of its result, where a cast changes them.
        text: as written, shortened.
    """

    op: str
    dest: str
    args: tuple[Operand, ...]
    labels: tuple[str, ...]
    word: str
    width: int
    to_width: int
    text: str


Line = tuple[int, Code]
"""Where an instruction begins in the text, and the instruction."""


@dataclass(slots=True)
class Function:
    """A definition: its blocks by name, the entry first."""

    name: str
    offset: int
    params: bool
    groups: list[str]
    attributes: dict[str, str]
    blocks: dict[str, list[Line]] = field(default_factory=dict)


@dataclass(slots=True)
class Program:
    """A module: its definitions and the texts of its constants."""

    functions: list[Function]
    groups: dict[str, dict[str, str]]
    strings: dict[str, str]

    def attributes_of(self, function: Function) -> dict[str, str]:
        """The function's own attributes and those of its groups."""
        found = dict(function.attributes)
        for group in function.groups:
            found.update(self.groups.get(group, {}))
        return found


_TOKEN = re.compile(
    r"[ \t\r\f\v]+|;[^\n]*"
    r'|(?P<token>c?"[^"\n]*"|[%@!#$](?:"[^"\n]*"|[-$.\w]+)?|[-+$.\w]+|[=,(){}\[\]<>*:|])'
)
_INTEGER = re.compile(r"[-+]?\d{1,40}")
_DECIMAL = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_WIDTH = re.compile(r"i(\d{1,7})")
_OPEN, _CLOSE = "([{", ")]}"
_TAILS = ("tail", "musttail", "notail")
_BINARY = frozenset(
    "add sub mul udiv sdiv urem srem and or xor shl lshr ashr fadd fsub fmul fdiv frem".split()
)
_CASTS = frozenset("zext sext trunc inttoptr sitofp uitofp fptosi fptoui fpext fptrunc".split())
_WORDS = frozenset("undef poison zeroinitializer none".split())
_IGNORED = ("source_filename", "target", "declare", "uselistorder", "uselistorder_bb")

Token = tuple[str, int]
"""A piece of the text and where it stands."""


class Parser:
    """Reads the text of one module.

    Args:
        text: the module.
        source: name of the file, for messages.
    """

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.row = 0
        self.known: dict[str, Code] = {}  # instructions by their text: programs repeat themselves

    def fail(self, offset: int, message: str, rule: str, *, unsupported: bool = False) -> NoReturn:
        """Raises SyntaxReadError, or UnsupportedError, at an offset of the text."""
        line, column, text = place(self.text, offset)
        kind: type[ReadError] = UnsupportedError if unsupported else SyntaxReadError
        raise kind(message, source=self.source, line=line, column=column, text=text, rule=rule)

    def program(self) -> Program:
        """The module. Raises SyntaxReadError."""
        found = Program([], {}, {})
        while self.row < len(self.starts):
            tokens = self.statement(header=True)
            if not tokens:
                continue
            head, offset = tokens[0]
            if head == "define":
                found.functions.append(self.function(tokens))
            elif head == "attributes":
                words = [word for word, _ in tokens]
                if len(words) > 3:
                    found.groups[words[1]] = _attributes(words[3:])
            elif head[0] == "@":
                text = next((word for word, _ in reversed(tokens) if word.startswith('c"')), None)
                found.strings[_bare(head)] = _text(text) if text is not None else ""
            elif head[0] not in "%!$" and head not in _IGNORED:
                self.fail(offset, f"{head[:40]!r} begins no statement", "define, declare, attributes, @x")
        return found

    # ---- lines ---------------------------------------------------------------------------------------

    def line(self, row: int) -> str:
        end = self.starts[row + 1] - 1 if row + 1 < len(self.starts) else len(self.text)
        return self.text[self.starts[row] : end]

    def tokens(self, row: int) -> list[Token]:
        """The tokens of one line."""
        offset, line = self.starts[row], self.line(row)
        found: list[Token] = []
        at = 0
        while at < len(line):
            match = _TOKEN.match(line, at)
            if match is None:
                self.fail(offset + at, f"{line[at]!r} is no part of LLVM's language", "LLVM's text form")
            if match["token"]:
                found.append((match["token"], offset + at))
            at = match.end()
        return found

    def statement(self, *, header: bool = False) -> list[Token]:
        """A line, with those that follow as long as brackets are open or it ends in the middle.

        The brace that opens a function's body ends its header.
        """
        found = self.tokens(self.row)
        self.row += 1
        define = header and bool(found) and found[0][0] == "define"
        depth = _depth(found)
        while self.row < len(self.starts) and found and (depth > 0 or found[-1][0] in ",=" or define):
            if define and any(word == "{" for word, _ in found):
                break
            more = self.tokens(self.row)
            self.row += 1
            found += more
            depth += _depth(more)
        return found

    # ---- functions -----------------------------------------------------------------------------------

    def function(self, tokens: list[Token]) -> Function:
        words = [word for word, _ in tokens]
        offset = tokens[0][1]
        brace = words.index("{") if "{" in words else -1
        at = next((i for i, word in enumerate(words[: max(brace, 0)]) if word[0] == "@"), -1)
        if at < 0 or words[at + 1] != "(" or ")" not in words[at:brace]:
            self.fail(offset, "a definition without name, parameters or body", "define T @name(...) { ... }")
        close = brace - 1 - words[:brace][::-1].index(")")
        rest = words[close + 1 : brace]
        groups = [word for word in rest if word[0] == "#"]
        found = Function(_bare(words[at]), offset, close > at + 2, groups, _attributes(rest))
        self.body(found, tokens[brace + 1 :])
        return found

    def body(self, function: Function, tokens: list[Token]) -> None:
        """The blocks, up to the closing brace."""
        block: list[Line] | None = None
        while True:
            if tokens and tokens[0][0] == "}":
                if len(tokens) > 1:
                    self.fail(tokens[1][1], "something follows the end of a definition", "a line of its own")
                return
            if len(tokens) > 1 and tokens[1][0] == ":":
                block = self.begin(function, _bare(tokens[0][0]), tokens[0][1])
                tokens = tokens[2:]
                if len(tokens) > 1 and tokens[1][0] == ":":
                    self.fail(tokens[0][1], "a block without instructions", "a block ends with br or ret")
                continue
            if tokens:
                end = _unbalanced(tokens)
                if end == 0:
                    self.fail(
                        tokens[0][1], f"{tokens[0][0]!r} closes nothing", "every bracket has its partner"
                    )
                if block is None:
                    block = self.begin(function, "", tokens[0][1])
                block.append((tokens[0][1], self.instruction(tokens[:end])))
                tokens = tokens[end:]
                continue
            if self.row >= len(self.starts):
                self.fail(function.offset, "a definition is never closed", "every { has its }")
            text = self.line(self.row).strip()
            code = self.known.get(text)
            if code is not None and block is not None:
                block.append((self.starts[self.row], code))
                self.row += 1
                continue
            first = self.row
            tokens = self.statement()
            if self.row == first + 1 and block is not None and len(tokens) > 2 and tokens[1][0] != ":":
                if _unbalanced(tokens) == len(tokens):
                    code = self.known[text] = self.instruction(tokens)
                    block.append((tokens[0][1], code))
                    tokens = []

    def begin(self, function: Function, name: str, offset: int) -> list[Line]:
        if name in function.blocks:
            self.fail(offset, f"two blocks are called {name[:40]!r}", "every block has a name of its own")
        function.blocks[name] = []
        return function.blocks[name]

    # ---- instructions --------------------------------------------------------------------------------

    def instruction(self, tokens: Sequence[Token]) -> Code:
        words = [word for word, _ in tokens]
        offset = tokens[0][1]
        text = " ".join(words)[:80]
        dest = ""
        if len(words) > 2 and words[1] == "=" and words[0][0] == "%":
            dest, words = _bare(words[0]), words[2:]
        if words[0] in _TAILS and len(words) > 1:
            words = words[1:]
        op, rest = words[0], words[1:]
        # Metadata at the end: ", !dbg !5".
        marks = [i for i, word in enumerate(rest) if word[0] == "!" and i and rest[i - 1] == ","]
        if marks and op != "call":
            rest = rest[: marks[0] - 1]
        labels = tuple(_bare(rest[i + 1]) for i, word in enumerate(rest[:-1]) if word == "label")
        args: tuple[Operand, ...] = ()
        word, width, to_width = "", 0, 0
        if op == "call":
            word, args = self.call(rest, offset)
        elif op == "br":
            if not labels or len(labels) > 2:
                self.fail(offset, f"{text!r} names no block", "br label %a, or br i1 %c, label %a, label %b")
            args = (self.value(_split(rest)[0], offset),) if len(labels) == 2 else ()
        elif op == "ret":
            args = () if rest[:1] == ["void"] else (self.value(rest, offset),)
        elif op == "phi":
            labels, args = self.phi(rest, offset)
            width = _width(rest[:1])
        elif op in _CASTS:
            parts = rest[: rest.index("to")] if "to" in rest else []
            args, width = (self.value(parts, offset),), _width(parts)
            to_width = _width(rest[-1:])
        elif op in _BINARY or op == "icmp" or op == "select" or op == "fneg":
            word = rest[0] if op == "icmp" and rest else ""
            parts_of = _split(rest[1:] if op == "icmp" else rest)
            args = tuple(self.value(part, offset) for part in parts_of)
            width = _width(parts_of[-1] if op == "select" else rest)
            if len(args) != {"select": 3, "fneg": 1}.get(op, 2):
                self.fail(offset, f"{text!r} has {len(args)} operands", f"LLVM's form of {op}")
        return Code(op, dest, args, labels, word, width, to_width, text)

    def call(self, words: list[str], offset: int) -> tuple[str, tuple[Operand, ...]]:
        """The callee and the arguments; "" for a callee that is no function's name."""
        named = (i for i, word in enumerate(words) if word[0] == "@" and words[i + 1 : i + 2] == ["("])
        start = next(named, -1)
        if start < 0:
            return "", ()
        depth, end = 0, len(words)
        for i in range(start + 1, len(words)):
            depth += (words[i] in _OPEN) - (words[i] in _CLOSE)
            if depth == 0:
                end = i
                break
        else:
            self.fail(offset, "a call does not end", "call T @name(...)")
        inner = words[start + 2 : end]
        args = tuple(self.value(part, offset) for part in _split(inner)) if inner else ()
        return _bare(words[start]), args

    def phi(self, words: list[str], offset: int) -> tuple[tuple[str, ...], tuple[Operand, ...]]:
        pairs = [part[part.index("[") + 1 : -1] for part in _split(words) if "[" in part and part[-1] == "]"]
        sides = [_split(pair) for pair in pairs]
        if not sides or any(len(side) != 2 or not side[0] or not side[1] for side in sides):
            self.fail(offset, "a phi without values", "phi T [ value, %block ], ...")
        blocks = tuple(_bare(side[1][-1]) for side in sides)
        return blocks, tuple(self.value([*words[:1], *side[0]], offset) for side in sides)

    def value(self, words: Sequence[str], offset: int) -> Operand:
        """An operand from its words: type, attributes, value."""
        if not words:
            self.fail(offset, "an operand is missing", "type and value")
        if "inttoptr" in words or "getelementptr" in words or "bitcast" in words:
            return self.constant(words, offset)
        last = words[-1]
        if last[0] == "%":
            return Name(_bare(last))
        if last[0] == "@":
            return Global(_bare(last))
        if last == "null":
            return Address(0)
        if last in ("true", "false"):
            return int(last == "true")
        if _INTEGER.fullmatch(last):
            return float(last) if words[0] in ("double", "float", "half") else int(last)
        if _DECIMAL.fullmatch(last) and len(last) < 400:
            return float(last)
        if last.startswith("0x") and len(last) <= 18:
            try:
                return float(struct.unpack(">d", bytes.fromhex(last[2:].zfill(16)))[0])
            except ValueError:
                return math.nan
        if last not in _WORDS and last[0] not in '!]})>"c':
            self.fail(offset, f"{last[:40]!r} is no value", "a number, null, true, false, %name or @name")
        return last

    def constant(self, words: Sequence[str], offset: int) -> Operand:
        """A constant expression: ``inttoptr (i64 1 to ptr)``, or the address of a global."""
        named = next((word for word in words if word[0] == "@"), None)
        if named is not None:
            return Global(_bare(named))
        inner = words[words.index("inttoptr") :] if "inttoptr" in words else []
        if len(inner) > 4 and inner[1] == "(" and inner[4] == "to" and _INTEGER.fullmatch(inner[3]):
            return Address(int(inner[3]))
        if not inner or inner[-1][0] != "%":
            shown = " ".join(words)[:60]
            self.fail(offset, f"{shown!r} is no qubit or result", "inttoptr (i64 number to ptr)")
        return Name(_bare(inner[-1]))


def _depth(tokens: Sequence[Token]) -> int:
    return sum((word in _OPEN) - (word in _CLOSE) for word, _ in tokens)


def _unbalanced(tokens: Sequence[Token]) -> int:
    """Where a bracket closes that was not opened: the end of the body."""
    depth = 0
    for index, (word, _) in enumerate(tokens):
        depth += (word in _OPEN) - (word in _CLOSE)
        if depth < 0:
            return index
    return len(tokens)


def _split(words: Sequence[str]) -> list[list[str]]:
    """The words between commas that stand in no brackets."""
    found: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += (word in "([{<") - (word in ")]}>")
        if word == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(word)
    return found


def _width(words: Sequence[str]) -> int:
    """Bits of the first integer type among the words; 0 when there is none."""
    return next((int(match[1]) for match in map(_WIDTH.fullmatch, words) if match), 0)


def _bare(name: str) -> str:
    """A name without its sigil and quotes."""
    return name.lstrip("%@").strip('"')


def _attributes(words: Sequence[str]) -> dict[str, str]:
    """``"key"="value"`` and ``"key"`` among the words of an attribute group."""
    found: dict[str, str] = {}
    for index, word in enumerate(words):
        if word[0] == '"' and (index == 0 or words[index - 1] != "="):
            has_value = index + 2 < len(words) and words[index + 1] == "="
            found[word.strip('"')] = words[index + 2].strip('"') if has_value else ""
    return found


def _text(constant: str) -> str:
    """A ``c"..."`` constant without its final zero, hexadecimal escapes undone."""
    raw = re.sub(r"\\([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), constant[2:-1])
    return raw.removesuffix("\0").encode("latin-1", "replace").decode("utf-8", "replace")


__all__ = ["Address", "Code", "Function", "Global", "Line", "Name", "Operand", "Parser", "Program"]
