"""A large JSON text that is read in pieces means what it means when it is read at once."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.faces.http import strict_json
from qrealm.faces.http.strict_json import read_json, read_large_json

WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 65), 1 << 65) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def outcome(read, body):
    try:
        return repr(read(body))
    except ValueError as problem:
        return str(problem)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(strict_json, "_PIECE_BYTES", 3)


@settings(max_examples=400, deadline=None)
@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_the_same_values(value, ascii_only, indent):
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_PIECE_BYTES", 3)
        assert outcome(read_large_json, body) == outcome(read_json, body)


@settings(max_examples=600, deadline=None)
@given(
    value=VALUES,
    at=st.integers(0, 200),
    put=st.sampled_from(["", *'\0,]}":1\\\n']),
    indent=st.sampled_from([None, 1]),
)
def test_the_same_texts_are_refused_in_the_same_words(value, at, put, indent):
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    at = min(at, len(text))
    body = (text[:at] + put + text[at + 1 :]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_PIECE_BYTES", 3)
        assert outcome(read_large_json, body) == outcome(read_json, body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b'{"data": [1, 2', "is not JSON: Expecting ',' delimiter: line 1 column 15 (char 14)"),
        (b'{"data": {}} x', "is not JSON: Extra data: line 1 column 14 (char 13)"),
        (b'{\n "data":\n  {}\n}\n x', "is not JSON: Extra data: line 5 column 2 (char 19)"),
        (b'{"data": ["' + b"x" * 99 + b"\xff]}", "is not UTF-8: byte 110 cannot be read"),
        (b'["\xc3', "is not UTF-8: byte 2 cannot be read"),
        (b'{"data": [18446744073709551616]}', f"has the whole number {1 << 64}; the rule is 64 bits"),
        (b'{"data": [18446744073709551616.5, -1e-300]}', "{'data': [1.8446744073709552e+19, -1e-300]}"),
        (b'{"data": [NaN]}', "is not JSON: it has NaN; the rule is finite numbers"),
        (b"[" * 101 + b"]" * 101, "has lists and objects more than 100 deep inside each other"),
        (b"[" * 200_000, "has lists and objects more than 100 deep inside each other"),
        (b'{"a": {"\\ud800": 1}}', "has \\ud800, which is half of a character"),
        (b'{"a": {"b": ["' + b"x" * 50 + b'\\udfff"]}}', "has \\udfff, which is half of a character"),
    ],
)
def test_what_is_wrong_is_told(small_pieces, body, words):
    assert outcome(read_large_json, body) == words


def test_no_step_reads_much_more_than_one_message(monkeypatch):
    """Whatever is read in one step keeps all other threads waiting."""
    real, sizes = strict_json._DECODER.raw_decode, []

    class Told:
        @staticmethod
        def raw_decode(text, at):
            sizes.append(len(text) - at)
            return real(text, at)

    monkeypatch.setattr(strict_json, "_DECODER", Told)
    document = {"data": {"messages": [{"data": f"{number} é" + "x" * (1 << 20)} for number in range(64)]}}
    body = json.dumps(document, ensure_ascii=False).encode()
    assert read_large_json(body) == document
    assert max(sizes) < 6 << 20
    assert len(body) > 64 << 20


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("broken", [b"\xe2\x82A", b"\xf0\x9f\x98A", b"\xc3("])
def test_the_byte_of_a_character_that_is_cut_between_pieces(small_pieces, before, broken):
    body = b'["' + b"x" * before + broken + b'"]'
    assert outcome(read_large_json, body) == outcome(read_json, body) != ""
    assert f"byte {2 + before} cannot" in outcome(read_large_json, body)


def test_a_large_value_is_not_read_again_for_each_piece(monkeypatch):
    monkeypatch.setattr(strict_json, "_PIECE_BYTES", 1)
    asked, more = [], strict_json._Pieces._more

    def counted(pieces, size):
        asked.append(size)
        return more(pieces, size)

    monkeypatch.setattr(strict_json._Pieces, "_more", counted)
    assert read_large_json(b'["' + b"x" * 100_000 + b'"]') == ["x" * 100_000]
    assert len(asked) < 40
