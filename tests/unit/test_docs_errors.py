"""docs/errors.md against base/errors.py: every code, its class, and how a command or an answer tells it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qrealm.base import errors
from qrealm.base.errors import QrealmError
from qrealm.faces.http.error_json import status_of
from qrealm.faces.qdocker.terminal import exit_code_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text()
ROWS = re.findall(r"^\| (QR\d{3}) \| `(\w+)` \| ([^|]+) \| ([^|]+) \|(?: (\d+) \|)?$", PAGE, re.MULTILINE)
KINDS = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, QrealmError) and "code" in vars(kind)
}


def any_of(code: str) -> QrealmError:
    """An error of this code, whatever its class wants to be told."""
    return KINDS[code].__new__(KINDS[code])


def test_every_code_is_listed_and_none_that_is_not_there():
    assert len(ROWS) == len(re.findall(r"^\| QR", PAGE, re.MULTILINE)), "a row that is no row"
    listed = [(code, name) for code, name, *_ in ROWS]
    assert sorted(listed) == sorted((code, kind.__name__) for code, kind in KINDS.items())
    named = set(re.findall(r"QR\d{3}", (ROOT / "src/qrealm/base/errors.py").read_text()))
    assert named == KINDS.keys()


def test_no_two_classes_have_one_code():
    coded = [kind for kind in vars(errors).values() if isinstance(kind, type) and "code" in vars(kind)]
    assert len(coded) == len(KINDS)


@pytest.mark.parametrize(("code", "exit_code"), [(row[0], int(row[4])) for row in ROWS if row[4]])
def test_exit_codes_of_containers_are_the_commands(code, exit_code):
    for command in ("create", "run", "exec"):
        assert exit_code_of(any_of(code), command) == exit_code
    assert exit_code_of(any_of(code), "rm") == 1


def test_exit_codes_of_qrealm_are_those_of_the_sections():
    """2 for what the caller can mend, and 1 for the rest: the sections say which these are."""
    for heading, ones in (
        ("Circuits and programs", set()),
        ("Runs and searches", {"QR310", "QR311"}),
        ("Packages and files", set()),
    ):
        section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        codes = re.findall(r"^\| (QR\d{3})", section, re.MULTILINE)
        assert codes
        assert {code for code in codes if any_of(code).exit_code == 1} == ones


def test_statuses_of_http_are_those_of_the_page():
    told = " ".join(PAGE.partition("with status ")[2].partition("\n\n")[0].split())
    said = {
        code: int(part[:3])
        for part in re.split(r", (?=\d{3} for)", told)
        for code in re.findall(r"QR\d+", part)
    }
    assert len(said) == 7
    for code in KINDS:
        mendable = issubclass(KINDS[code], errors.UserError)
        assert status_of(any_of(code)) == said.get(code, 400 if mendable else 500), code
