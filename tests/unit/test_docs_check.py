"""`docs/check.py` sees what it should: blocks, commands, dead links, failing code."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "docs" / "check.py"


@pytest.fixture
def check(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("docs_check", CHECK)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "docs_check", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "examples").mkdir()
    (tmp_path / "tests").mkdir()
    return module


def test_code_keeps_the_lines_of_its_page(check):
    page = "# Title\n\n```python\nfirst = 1\n```\ntext\n```python\nsecond = 2\n```\n"
    lines = check.python_of(page).splitlines()
    assert (lines.index("first = 1"), lines.index("second = 2")) == (3, 7)


def test_commands_are_the_qrealm_lines_of_console_blocks(check):
    page = "```console\n$ qrealm info\ncores 2\nmake demo\n```\n```bash\n$ qrealm bench\n```\n"
    assert check.commands_of(page) == ["qrealm info"]


@pytest.mark.parametrize(
    "code, fault",
    [
        ("x = 1\nassert x == 1", None),
        ("import asyncio\nawait asyncio.sleep(0)", None),
        ("import pathlib\nassert pathlib.Path('examples').is_dir()", None),
        ("assert 1 == 2", "AssertionError"),
        ("1 +", "SyntaxError"),
    ],
)
def test_pages_run(check, tmp_path, code, fault):
    page = tmp_path / "page.md"
    page.write_text(f"```python\n{code}\n```\n")
    faults = check.run_page(page)
    assert (faults == []) if fault is None else (fault in faults[0])


CONFIGURATION = "quantum_docker_config:\n  num_qubits: {value}\nnodes: [{{name: one, driver: simulated}}]"
CLUSTER = "name: shop\ncontainers:\n  - {{name: web, image: nginx, {key}: 0.2}}"
COMPOSE = "name: shop\nservices:\n  web:\n    image: nginx\n    {key}: 0.5"


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (CONFIGURATION.format(value=16), None, ""),
        (CONFIGURATION.format(value="many"), 5, "num_qubits"),
        (CLUSTER.format(key="quantum_probability"), None, ""),
        (CLUSTER.format(key="quantum_luck"), 6, "quantum_luck"),
        (COMPOSE.format(key="cpus"), None, ""),
        (COMPOSE.format(key="gpus"), 8, "gpus"),
        ("name: neither", 4, "containers"),
        ("name: [never", 5, ""),
        (CONFIGURATION.format(value="16\n  scheduler: nobodys"), 6, "scheduler"),
        (
            "nodes:\n  - {name: a, url: 'tcp://a:2376', tls: {ca: ~/ca.pem, cert: ~/c.pem, key: ~/k.pem}}",
            None,
            "",
        ),
    ],
)
def test_yaml_of_a_page_is_read_as_the_command_reads_it(check, tmp_path, text, line, key):
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "page.md"
    page.write_text(f"# Title\n\n```yaml\n{text}\n```\n")
    faults = check.yaml_faults(page)
    assert len(faults) == (line is not None)
    for fault in faults:
        assert f"docs/page.md:{line}: " in fault
        assert key in fault


def test_one_wrong_key_in_a_page_or_an_example_is_a_failure(check, tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        (tmp_path / name).write_text("# Page\n")
    page, example = tmp_path / "docs" / "page.md", tmp_path / "examples" / "qdocker" / "shop.yaml"
    example.parent.mkdir()
    for broken in (None, page, example):
        page.write_text(f"```yaml\n{COMPOSE.format(key='gpus' if broken is page else 'cpus')}\n```\n")
        example.write_text(CLUSTER.format(key="quantum_luck" if broken is example else "quantum_weight"))
        assert check.main() == (broken is not None)
        told = capsys.readouterr().err
        assert (told == "") if broken is None else f"{broken.relative_to(tmp_path)}:" in told


def test_dead_links(check, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "[a](page.md#top) [b](https://example.org/x) [c](gone.md) ![d](images/gone.png) [e](#here)\n"
    )
    assert check.broken_links(page) == [
        "page.md: no such file: gone.md",
        "page.md: no such file: images/gone.png",
    ]


def test_a_page_for_a_package_that_is_not_installed_is_skipped(check, tmp_path, monkeypatch, capsys):
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        (tmp_path / name).write_text("# Page\n")
    (tmp_path / "docs" / "torch.md").write_text("```python\nimport torch.nn\nassert False\n```\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(check, "REQUIRED", frozenset())
    assert check.missing_of("import torch.nn\nimport os") == ["torch"]
    assert check.missing_of("from qrealm import run\n1 +") == []
    assert check.main() == 0
    assert "docs/torch.md, Python skipped: torch is not installed" in capsys.readouterr().out
    monkeypatch.setattr(check, "REQUIRED", frozenset({"torch"}))
    assert check.main() == 1
    assert "QREALM_REQUIRE names torch" in capsys.readouterr().err
