"""What the command line says of words before anybody is asked: help, usage lines and wrong values."""

from __future__ import annotations

import re
import shlex

import pytest

from qrealm.faces.cli import app as cli
from qrealm.faces.qdocker.app import COMMANDS, NODE_COMMANDS, main

QDOCKER = [*COMMANDS, "nodes", *(f"nodes {name}" for name in NODE_COMMANDS)]
QREALM = ["run", "estimate", "draw", "optimize", "info", "bench", "verify"]
PAGES = [("qdocker", name) for name in ("", *QDOCKER)] + [("qrealm", name) for name in ("", *QREALM)]


@pytest.fixture
def said(capsys, monkeypatch):
    """Runs the command on a terminal of 80 columns; its exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")

    def run(line, program=main):
        with pytest.raises(SystemExit) as ended:
            program(shlex.split(line))
        told = capsys.readouterr()
        return ended.value.code, re.sub(r"\x1b\[[0-9;]*m", "", told.out), told.err

    return run


def test_each_of_the_first_steps_is_one_line(said):
    _, out, _ = said("--help")
    steps = out.partition("First steps")[2].partition("Exit codes")[0].splitlines()
    assert [line.split()[0] for line in steps if line.strip()] == ["qdocker"] * 5


@pytest.mark.parametrize(("program", "command"), PAGES)
def test_each_example_is_one_line_and_indented(said, program, command):
    """One line also on 80 columns; and two of them are not an Example."""
    code, out, _ = said(f"{command} --help", {"qdocker": main, "qrealm": cli.main}[program])
    assert code == 0
    heading, shown = re.search(
        r"^ (Examples?|First steps) *\n(.*?)^╭", out, re.MULTILINE | re.DOTALL
    ).groups()
    examples = [line for line in shown.partition("Exit codes")[0].splitlines() if line.strip()]
    called = f"{program} {command}".strip()
    for line in examples:
        assert re.match(r"   \S", line), line
        assert called in line or heading == "First steps", line
    assert heading == "First steps" or (len(examples) == 1) == (heading == "Example")
    assert examples


@pytest.mark.parametrize(("program", "command"), PAGES)
def test_help_names_no_types_of_python_and_cuts_nothing(said, program, command):
    _, out, _ = said(f"{command} --help", {"qdocker": main, "qrealm": cli.main}[program])
    framed = out[out.index("╭") :]
    columns = [line.removeprefix("│").removesuffix("│") for line in framed.splitlines()]
    assert not [line for line in columns if "<" in line or re.search(r"\b(?:bool|list\[)", line)]
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_pages_of_help_are_all(said):
    _, out, _ = said("--help", cli.main)
    listed = out.partition("Commands")[2]
    assert re.findall(r"^│ ([a-z]+) ", listed, re.MULTILINE) == QREALM


@pytest.mark.parametrize("command", [*COMMANDS, *(f"nodes {name}" for name in NODE_COMMANDS)])
def test_usage_lines_are_dockers(said, command):
    code, out, _ = said(f"{command} --help")
    usage = next(line for line in out.splitlines() if "Usage:" in line)
    assert code == 0
    assert not set(usage) & set("{}<>")
    arguments = usage.partition("[OPTIONS]")[2].strip().removesuffix(".yaml")
    assert arguments == arguments.upper()


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("stop-container --time soon web", 1, "'--time' / '-t': 'soon' is not a number"),
        ("create --cpu many image web", 125, "'--cpu' / '--cpus': 'many' is not a number"),
        ("ps --last few", 1, "'--last' / '-n': 'few' is not a whole number"),
        ("completion fish", 1, "'SHELL': 'fish' is not one of 'bash', 'zsh'"),
        ("create image", 125, "Missing argument 'NAME'"),
    ],
)
def test_wrong_words_are_told_plainly(said, line, code, words):
    ended, _, err = said(line)
    assert ended == code
    assert words in err
    assert "Usage: qdocker" in err
    assert not re.search(r"Input should|Value error|[{}]", err)


@pytest.mark.parametrize("command", ["ps", "nodes ls", "schedulers"])
def test_the_template_that_help_shows_is_taken(said, monkeypatch, command):
    """A template is refused where the listing does not have its fields, also when it is empty."""
    _, out, _ = said(f"{command} --help")
    words = " ".join(out.replace("│", " ").split())
    shown = re.findall(r'"((?:table )?\{\{[^"]*)"', words)
    assert len(shown) >= 2
    monkeypatch.setattr("qrealm.faces.qdocker.client.Client.get", lambda *asked: [])
    for template in shown:
        assert said(f"{command} --format '{template}'")[0] == 0, template
    assert said(f"{command} --format '{{{{.Nothing}}}}'")[0] != 0


def test_the_help_of_messages_says_that_entanglement_is_not_spent(said):
    assert "neither used nor spent" in " ".join(said("send-message --help")[1].split())


def test_options_do_not_show_what_stands_for_nothing(said):
    _, listing, _ = said("ps --help")
    assert "[default: -1]" not in listing
    _, exporting, _ = said("export-state --help")
    assert "stdout" in exporting
    _, importing, _ = said("import-state --help")
    assert "stdin" in importing
