"""Patterns of OpenQASM statements. An identifier starts with a letter of any script or _."""

from __future__ import annotations

import re

CALL = re.compile(r"\s*([^\W\d]\w*)\s*(?:\((.*)\))?\s*([^()]*)\Z", re.DOTALL)
NAME = re.compile(r"[^\W\d]\w*")
OPERAND = re.compile(r"\s*([^\W\d]\w*|\$\d{1,9})\s*(?:\[\s*(\d+)\s*\])?\s*\Z")
VERSION = re.compile(r"\s*OPENQASM\s+(\d+)(?:\.\d+)?\s*\Z")
OLD_REGISTER = re.compile(r"\s*([qc])reg\s+([^\W\d]\w*)\s*\[\s*(\d+)\s*\]\s*\Z")
REGISTER = re.compile(r"\s*(qubit|bit)\s*(?:\[\s*(\d+)\s*\])?\s*([^\W\d]\w*)\s*(?:=\s*(.*))?\Z", re.DOTALL)
ARROW = re.compile(r"\s*measure\s+(.*?)\s*->\s*(.*)\Z", re.DOTALL)
ASSIGN = re.compile(r"\s*([^\W\d]\w*\s*(?:\[\s*\d+\s*\])?)\s*=\s*measure\s+(.*)\Z", re.DOTALL)
INPUT = re.compile(r"\s*input\s+(?:float|angle)\s*(?:\[\s*\d+\s*\])?\s+([^\W\d]\w*)\s*\Z")
BRACES = re.compile(r"(?:=|\bin)\s*\{")
IF = re.compile(r"\s*if\s*\(")
GATE = re.compile(r"\s*gate\s+([^\W\d]\w*)\s*(?:\(([^()]*)\))?\s*([^()]*)\Z", re.DOTALL)
MODIFIED = re.compile(r"\s*(?:ctrl|negctrl|inv|pow)\b")
LANGUAGE = frozenset(
    "const let int uint float angle bool complex duration stretch array for while switch def extern box "
    "delay opaque return break continue end cal defcal defcalgrammar pragma output input case default "
    "else reset durationof readonly mutable void nop".split()
)
OPAQUE = re.compile(r"\s*opaque\s+([^\W\d]\w*)[^;]*\Z")
INITIAL = re.compile(r"""\s*(?:(["'])([01_]+)\1|([01])|(true|false))\s*\Z""")
