"""The rules of the house, kept by a test: who may import what, how long things may grow, what files must say.

The two tables in ARCHITECTURE.md are the rules themselves: they are read here, so page and test cannot
drift apart.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "qrealm"
SOURCES = sorted(SRC.rglob("*.py"))
KERNEL_SOURCES = sorted(
    path for path in (ROOT / "kernels").rglob("*") if path.suffix in {".h", ".hpp", ".cpp"}
)
PYTHON_ELSEWHERE = sorted(
    path
    for folder in ("tests", "benchmarks", "examples", "docs")
    for path in (ROOT / folder).rglob("*.py")
    if ".venv" not in path.parts
)
PAGES = sorted((ROOT / "docs").glob("*.md"))

# Clock, randomness, threads and the world outside arrive as arguments in these, so that a test can hold
# them still.
PURE = ("circuits", "simulate/plan")
IMPURE_MODULES = frozenset({"time", "random", "os", "socket", "asyncio", "threading", "logging"})
# These do nothing with the world: os.PathLike names what users pass; pyqasm's own log is kept from their
# terminal, one reader at a time.
NOT_IMPURE = {
    ("circuits/read.py", "os"),
    ("circuits/formats/qasm_full.py", "logging"),
    ("circuits/formats/qasm_full.py", "threading"),
}
# A framework is imported where it is used: who has not installed it can use all the rest, and nobody waits
# for it.
LAZY = frozenset(
    """
    qiskit qiskit_aer cirq pennylane pyqasm openqasm3 matplotlib torch stim cotengra scipy pyqir ortools
    docker
    """.split()
)
# Modules that are loaded only when their framework is wanted: these may import it at the top.
LOADED_ON_USE = (
    "faces/providers/*",
    "fleet/containers/unix_adapter.py",
    "simulate/backends/*/run.py",
    *(f"simulate/backends/gpu/{name}.py" for name in ("arrays", "paulis", "sampling", "state")),
)

LINES_MAX = {"python": 500, "kernel": 500}
FUNCTION_LINES_MAX = 70
PUBLIC_METHODS_MAX = 20
# Wider on purpose, and not to grow: GateMethods has one generated method for each row of the gate table;
# Circuit and QuantumDockerEngine are what users hold.
PUBLIC_METHODS_MAX_OF = {"GateMethods": 80, "Circuit": 36, "QuantumDockerEngine": 21}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|placeholder|stub|dummy|fake)\b")


@dataclass(frozen=True)
class Import:
    """One imported module: its full name, the line, and whether it is imported only inside a function."""

    module: str
    line: int
    in_function: bool


def imports_of(source: str, package: str) -> Iterator[Import]:
    """Every import in a module's source, also inside functions; `package` resolves the relative ones."""

    def visit(node: ast.AST, in_function: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, in_function)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    parents = package.split(".")[: len(package.split(".")) - child.level + 1]
                    base = ".".join([*parents, child.module] if child.module else parents)
                # `from qrealm import circuits` names a package in the second half.
                deeper = base == "qrealm"
                for alias in child.names:
                    yield Import(f"{base}.{alias.name}" if deeper else base, child.lineno, in_function)
            elif not _is_type_checking(child):
                inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from visit(child, in_function or inner)

    yield from visit(ast.parse(source), False)


def _is_type_checking(node: ast.AST) -> bool:
    """Imports for annotations cost nothing at run time and bind nobody; the import table still has them, in
    mypy."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def read_table(heading: str) -> dict[str, tuple[str, ...]]:
    """The table below `heading` in ARCHITECTURE.md: the first column's name to the names in the second."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    section = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return {re.findall(r"`([^`]+)`", left)[0]: tuple(re.findall(r"`([^`]+)`", right)) for left, right in rows}


PACKAGES = read_table("Who may import whom")
HOMES = read_table("One home for every third-party name")


def package_of(path: PurePosixPath) -> str:
    """The row of the import table that a module keeps to: the longest folder that has one."""
    folders = ["/".join(path.parts[:depth]) for depth in range(len(path.parts) - 1, 0, -1)]
    return next((folder for folder in folders if folder in PACKAGES), path.parts[0]) if folders else "facade"


def import_faults(path: PurePosixPath, source: str) -> list[str]:
    """What the module at `path` (inside src/qrealm) imports against the two tables."""
    package = ".".join(["qrealm", *path.parts[:-1]])
    own = package_of(path)
    faults = []
    for item in imports_of(source, package):
        top, *rest = item.module.split(".")
        where = f"{path}:{item.line} imports {item.module}"
        if top == "qrealm":
            target = rest[0] if rest else "facade"
            if target in ("_kernels", "_solvers"):
                homes = HOMES[f"qrealm.{target}"]
                if not any(fnmatch(str(path), home) for home in homes):
                    faults.append(f"{where}: only {', '.join(homes)} may")
            elif target != path.parts[0] and target not in PACKAGES[own]:
                faults.append(f"{where}: {own} may import {', '.join(PACKAGES[own]) or 'no other package'}")
        elif top not in sys.stdlib_module_names and top != "__future__":
            if top not in HOMES:
                faults.append(f"{where}: it has no home in ARCHITECTURE.md")
            elif not any(fnmatch(str(path), home) for home in HOMES[top]):
                faults.append(f"{where}: its home is {', '.join(HOMES[top])}")
            if top in LAZY and not item.in_function and not any(fnmatch(str(path), p) for p in LOADED_ON_USE):
                faults.append(f"{where} at the top: import it in the function that uses it")
        elif (
            top in IMPURE_MODULES
            and str(path).startswith(tuple(f"{pure}/" for pure in PURE))
            and (str(path), top) not in NOT_IMPURE
        ):
            faults.append(f"{where}: {path.parts[0]} gets clock, randomness and the outside as arguments")
    return faults


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_follow_the_tables(path):
    assert import_faults(PurePosixPath(path.relative_to(SRC)), path.read_text()) == []


@pytest.mark.parametrize(
    "path, source, fault",
    [
        ("circuits/circuit.py", "from qrealm.simulate import run", "circuits may import base"),
        ("circuits/circuit.py", "from ..simulate import run", "circuits may import base"),
        ("circuits/circuit.py", "from .. import simulate", "circuits may import base"),
        ("circuits/circuit.py", "from qrealm import control", "circuits may import base"),
        ("circuits/circuit.py", "def f():\n    import qrealm.faces", "circuits may import base"),
        ("circuits/circuit.py", "import qrealm", "circuits may import base"),
        ("circuits/circuit.py", "import time", "as arguments"),
        ("simulate/plan/choose.py", "from random import Random", "as arguments"),
        ("circuits/formats/qasm.py", "import pyqasm", "at the top"),
        ("circuits/circuit.py", "def f():\n    import pyqasm", "its home is"),
        ("simulate/run.py", "from qrealm import _kernels", "may"),
        ("simulate/backends/statevector/card.py", "from qrealm._kernels import plan", "may"),
        ("control/engine.py", "import requests", "no home"),
        ("faces/providers/qiskit.py", "from qrealm.control import local", "faces/providers may import base"),
        ("faces/cli/app.py", "from qrealm.simulate import run", "faces may import base"),
    ],
)
def test_the_import_rule_catches(path, source, fault):
    faults = import_faults(PurePosixPath(path), source)
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    "path, source",
    [
        ("circuits/circuit.py", "import math\nfrom ..base.errors import QrealmError\nfrom . import gates"),
        ("circuits/formats/qasm.py", "def read():\n    import pyqasm"),
        ("simulate/backends/statevector/run.py", "from qrealm import _kernels"),
        ("base/clock.py", "import time"),
    ],
)
def test_the_import_rule_allows(path, source):
    assert import_faults(PurePosixPath(path), source) == []


def test_every_package_has_a_row():
    packages = {path.name for path in SRC.iterdir() if (path / "__init__.py").exists()}
    assert packages | {"facade"} == {name for name in PACKAGES if "/" not in name}
    assert all((SRC / name / "__init__.py").exists() for name in PACKAGES if "/" in name)


def test_the_import_table_has_one_direction():
    order = [name for name in PACKAGES if name != "facade"]
    for index, name in enumerate(order):
        assert set(PACKAGES[name]) <= set(order[:index]), f"{name} may only import what stands above it"


def test_import_qrealm_waits_for_no_framework():
    listing = [sys.executable, "-c", "import sys, qrealm; print(*sys.modules)"]
    loaded = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    assert "qrealm" in loaded
    assert not (LAZY | {"typer", "rich", "scipy", "sqlalchemy", "fastapi", "httpx", "pydantic"}) & set(loaded)


@pytest.mark.parametrize(
    "path", [*SOURCES, *PYTHON_ELSEWHERE, *KERNEL_SOURCES], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_file_grows_too_long(path):
    lines = path.read_text().count("\n")
    assert lines <= LINES_MAX["python" if path.suffix == ".py" else "kernel"]


@pytest.mark.parametrize("path", [*SOURCES, *PYTHON_ELSEWHERE], ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_and_classes_stay_small(path):
    too_long = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            # A function with many options has long words about them and may still be short.
            told = (ast.get_docstring(node, clean=False) or "").count("\n")
            if (lines := node.end_lineno - node.lineno + 1 - told) > FUNCTION_LINES_MAX:
                too_long.append(f"{node.name}: {lines} lines")
        elif isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
            public = [item for item in methods if not item.name.startswith("_")]
            limit = PUBLIC_METHODS_MAX_OF.get(node.name, PUBLIC_METHODS_MAX)
            if len(public) > limit and path in SOURCES and not node.name.startswith("_"):
                too_long.append(f"{node.name}: {len(public)} public methods")
    assert too_long == []


def test_no_drawer_for_odds_and_ends():
    names = {path.stem for path in [*SOURCES, *PYTHON_ELSEWHERE, *KERNEL_SOURCES]}
    assert not names & {"utils", "util", "helpers", "misc", "common"}


@pytest.mark.parametrize(
    "path",
    [path for path in [*SOURCES, *KERNEL_SOURCES, *PYTHON_ELSEWHERE] if "tests" not in path.parts] + PAGES,
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_nothing_is_left_unfinished(path):
    found = [
        f"{n}: {line}" for n, line in enumerate(path.read_text().splitlines(), 1) if UNFINISHED.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SRC)))
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_changelog_has_its_form():
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    assert lines[0] == "# Changelog"
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0] == "## Unreleased"
    assert all(re.fullmatch(r"## \d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", line) for line in versions[1:])
    groups = {line for line in lines if line.startswith("### ")}
    assert groups <= {
        f"### {name}" for name in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    }


def test_readme_names_commands_that_exist():
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", readme))
    assert {"demo", "test"} <= named <= targets
    assert len(readme.splitlines()) <= 90, "the README is one screen"


def test_continuous_integration_runs_what_developers_run():
    script = (ROOT / ".ci" / "run").read_text()
    assert "make lint" in script
    assert "make test" in script


def test_base_dependencies_are_imported_and_imports_are_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    distributions = {"cirq-core": "cirq", "qiskit-aer": "qiskit_aer", "pyyaml": "yaml"}

    def names(requirements: list[str]) -> set[str]:
        found = {re.split(r"[<>=!~\[; ]", item, maxsplit=1)[0] for item in requirements}
        return {distributions.get(name, name) for name in found} - {"qrealm"}

    imported = {
        item.module.split(".")[0] for path in SOURCES for item in imports_of(path.read_text(), "qrealm.x.y.z")
    }
    third_party = imported - set(sys.stdlib_module_names) - {"qrealm", "__future__"}
    base = names(project["dependencies"])
    assert base <= third_party, "a base dependency that nothing imports"
    tools = {"test", "dev"}
    optional = set().union(*(names(extras[extra]) for extra in extras if extra not in tools))
    # openqasm3 is pyqasm's own parser and comes with it.
    assert third_party - base - {"openqasm3"} <= optional, "an import that no extra installs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_shows_code_that_docs_check_runs(page):
    assert re.search(r"^```(python|console)$", page.read_text(), re.MULTILINE)
