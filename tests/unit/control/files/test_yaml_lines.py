"""YAML with the lines of keys, and variables in it."""

from __future__ import annotations

import textwrap

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from qrealm.base.errors import ConfigError
from qrealm.control.containers.files.problems import raise_problems
from qrealm.control.containers.files.variables import substituted
from qrealm.control.containers.files.yaml_lines import CoreLoader, read_yaml


def read(text):
    return read_yaml(textwrap.dedent(text), "f.yaml")


def test_values_and_lines():
    document = read(
        """\
        a: 1
        b:
          - x
          - c: 2.5

            d:
        """
    )
    assert document.data == {"a": 1, "b": ["x", {"c": 2.5, "d": None}]}
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 1): 4,
        ("b", 1, "c"): 4,
        ("b", 1, "d"): 6,
    }
    assert document.line(("b", 1, "none", 7)) == 4


@pytest.mark.parametrize(
    "text, value",
    [
        ("no", "no"),
        ("on", "on"),
        ("22:22", "22:22"),
        ("2026-01-01", "2026-01-01"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("1e3", 1000.0),
        ("1.5E-1", 0.15),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.27", 1.27),
        ("'7'", "7"),
        ("!!str 7", "7"),
        ("|\n  x\n  y\n", "x\ny\n"),
    ],
)
def test_scalars_are_those_of_version_1_2(text, value):
    found = read(f"a: {text}").data["a"]
    assert found == value
    assert type(found) is type(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(json_values)
def test_what_a_writer_wrote_comes_back(value):
    # PyYAML's writer follows version 1.1, so all text is quoted.
    text = yaml.dump(value, Dumper=yaml.SafeDumper, default_style='"', allow_unicode=True)
    assert yaml.load(text, CoreLoader) == read_yaml(text, "f.yaml").data == value


def test_anchors_and_merge_keys():
    document = read(
        """\
        base: &base {a: 1, b: 2}
        more: &more {b: 3, c: 4}
        one:
          <<: *base
          b: 5
        both:
          <<: [*base, *more]
          d: 6
        again:
          x: &inner
            <<: *base
            a: 9
          y: *inner
        """
    )
    assert document.data["one"] == {"a": 1, "b": 5}
    assert document.data["both"] == {"a": 1, "b": 2, "c": 4, "d": 6}
    assert document.data["again"]["y"] == {"a": 9, "b": 2}
    assert document.lines["one", "a"] == 1
    assert document.lines["one", "b"] == 5
    assert document.lines["again", "y", "a"] == 12


@pytest.mark.parametrize(
    "text, line, words",
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a: stands twice; first in line 1"),
        ("a:\n  - {x: 1, x: 2}\n", 2, "a[0].x: stands twice; first in line 2"),
        ("a: [1\nb: 2\n", 2, "YAML: while parsing a flow sequence"),
        ("a: 1\n\tb: 2\n", 2, "YAML: while scanning"),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document"),
        ("a: 1\nb: \x07\n", 2, "the character '\\x07' is not allowed"),
        ("a: *none\n", 1, "found undefined alias"),
        ("a: &a [*a]\n", 1, "an alias inside its own anchor"),
        ("1: x\n", 1, "the key '1' is no text; put it in quotes"),
        ("true: x\n", 1, "the key 'true' is no text"),
        ("[a]: x\n", 1, "a key must be text"),
        ("a: !!python/name:os.system x\n", 1, "could not determine a constructor"),
        ("a: !ours x\n", 1, "could not determine a constructor"),
        ("a: !!int x\n", 1, "invalid literal"),
        ("a: " + "[" * 3000, None, "nested too deep"),
    ],
)
def test_broken_files_tell_the_line(text, line, words):
    with pytest.raises(ConfigError) as told:
        raise_problems("f.yaml", read_yaml(text, "f.yaml").problems)
    assert told.value.line == line
    assert words in told.value.message
    assert told.value.message.startswith("f.yaml")


def test_a_small_file_that_would_be_endless():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="more than 100,000 values"):
        read_yaml("\n".join(lines), "f.yaml")


ENVIRON = {"A": "1", "EMPTY": "", "DEEP": "$A"}


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("$A", "1"),
        ("${A}", "1"),
        ("x$A-${A}y", "x1-1y"),
        ("$$A", "$A"),
        ("$${A}", "${A}"),
        ("${EMPTY}", ""),
        ("${NONE:-x}", "x"),
        ("${EMPTY:-x}", "x"),
        ("${NONE-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${A:-x}", "1"),
        ("${NONE:-}", ""),
        ("${NONE:-${A}}", "1"),
        ("${NONE:-a${NONE:-b${A}}c}", "ab1c"),
        ("${NONE:-$A/$$}", "1/$"),
        ("${A:-${NONE}}", "1"),
        ("${A:-${NONE:?must be}}", "1"),
        ("${A:?missing}", "1"),
        ("${EMPTY?missing}", ""),
        ("${A:+set}", "set"),
        ("${EMPTY:+set}", ""),
        ("${EMPTY+set}", "set"),
        ("${NONE+${NONE}}", ""),
        ("${DEEP}", "$A"),
        ("{}", "{}"),
        ("a}b", "a}b"),
    ],
)
def test_variables(text, wanted):
    assert substituted(text, ENVIRON) == wanted


@pytest.mark.parametrize(
    "text, words",
    [
        ("$NONE", "the variable NONE is not set"),
        ("${NONE}", r"write \$\{NONE:-\} for an empty text"),
        ("${NONE:?give it}", "the variable NONE is not set: give it"),
        ("${EMPTY:?}", "the variable EMPTY is not set: it is required"),
        ("${NONE:-${OTHER}}", "the variable OTHER is not set"),
        ("${A", "no closing brace"),
        ("${A:-x", "no closing brace"),
        ("${A:x}", "no closing brace, or an operator"),
        ("${}", "must be followed by a name"),
        ("${1}", "must be followed by a name"),
        ("5$", "dollar sign without a name"),
        ("$-", "dollar sign without a name"),
    ],
)
def test_broken_variables(text, words):
    with pytest.raises(ValueError, match=words):
        substituted(text, ENVIRON)


@given(st.text())
def test_text_without_a_dollar_sign_stays(text):
    assert substituted(text.replace("$", "$$"), {}) == text


def test_variables_in_a_file_tell_the_line():
    found = read_yaml("a: 1\nb: [x, $NONE]\nc: ${\n", "f.yaml", lambda text: substituted(text, {}))
    with pytest.raises(ConfigError) as told:
        raise_problems("f.yaml", found.problems)
    assert (told.value.line, told.value.key) == (2, "b[1]")
    assert "f.yaml:3: c: ${ must be followed by a name" in told.value.message
