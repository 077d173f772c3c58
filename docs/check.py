"""Runs the code in README.md and docs/*.md and checks that relative links lead somewhere.

The ```python blocks of a page run in order in one process, so later blocks see earlier names; `await` is
allowed at the top. Lines of ```console blocks that start with "$ qrealm" or "$ qdocker" run as commands and
must succeed. All of it happens in a temporary folder in which `examples` and `tests` are the project's, and
which is the home of the page's own qdocker daemon.

```yaml blocks are files of qdocker, as are those in examples/qdocker: a configuration, a cluster or a Compose
file. Each is read as the command reads it, so that a key which is not there is a fault.

The Python of a page that imports an optional package which is not installed is skipped, and that is told.
Where QREALM_REQUIRE names the package, it is a fault.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from qrealm.base.errors import ConfigError
from qrealm.control.containers.files import load_cluster, load_config

ROOT = Path(__file__).parents[1]
SECONDS_MAX = 300
OPTIONAL = frozenset("qiskit qiskit_aer cirq pennylane torch stim cotengra matplotlib pyqir docker".split())
OURS = ("$ qrealm", "$ qdocker")
REQUIRED = frozenset(name.strip() for name in os.environ.get("QREALM_REQUIRE", "").split(","))

# Keeps line numbers of the page in a traceback, and allows await.
RUNNER = """
import ast, asyncio, inspect, sys
namespace = {"__name__": "__main__"}
code = compile(sys.stdin.read(), sys.argv[1], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
outcome = eval(code, namespace)
if inspect.iscoroutine(outcome):
    asyncio.run(outcome)
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its first line's number on the page (from 1), its text."""

    language: str
    line: int
    text: str


def blocks_of(page: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield Block(match[1], page.count("\n", 0, match.start(2)) + 1, match[2])


def python_of(page: str) -> str:
    """All Python blocks as one program, each on the lines that it has on the page."""
    lines: list[str] = []
    for block in blocks_of(page):
        if block.language == "python":
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
    return "\n".join(lines)


def missing_of(program: str) -> list[str]:
    """Optional packages that a program imports at its top and that are not installed."""
    try:
        body = ast.parse(program).body
    except SyntaxError:
        return []  # running it tells more
    named = [each.name for node in body if isinstance(node, ast.Import) for each in node.names]
    named += [node.module or "" for node in body if isinstance(node, ast.ImportFrom)]
    wanted = {name.partition(".")[0] for name in named} & OPTIONAL
    return sorted(name for name in wanted if importlib.util.find_spec(name) is None)


def commands_of(page: str) -> list[str]:
    """The commands of ours in the console blocks."""
    texts = (block.text for block in blocks_of(page) if block.language == "console")
    return [line[2:] for text in texts for line in text.splitlines() if line.startswith(OURS)]


def yaml_faults(path: Path) -> list[str]:
    """What is wrong in the YAML of a page, or of a file that is nothing else."""
    if path.suffix == ".yaml":
        return _faults_of_file(path.read_text(), path)
    # Empty lines before it, so that an error names the line that it has on the page.
    blocks = [block for block in blocks_of(path.read_text()) if block.language == "yaml"]
    return [
        fault for block in blocks for fault in _faults_of_file("\n" * (block.line - 1) + block.text, path)
    ]


def _faults_of_file(text: str, path: Path) -> list[str]:
    """Certificates that it names are not looked for: they are on the reader's machine."""
    name = str(path.relative_to(ROOT))
    keys = re.findall(r"^(\w+):", text, re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, path.name)
        file.write_text(text)
        try:
            if "quantum_docker_config" in keys or "nodes" in keys:
                load_config(file, certificates=False)
            else:
                load_cluster(text, str(file), {}, ROOT)
        except ConfigError as problem:
            return [str(problem).replace(str(file), name)]
    return []


def broken_links(path: Path) -> list[str]:
    """Relative links and images of a page that lead nowhere."""
    prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", prose)]
    relative = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    return [
        f"{path.relative_to(ROOT)}: no such file: {item}"
        for item in relative
        if not (path.parent / item).exists()
    ]


def run_page(path: Path, missing: Collection[str] = ()) -> list[str]:
    """Run what the page shows; what went wrong, empty if nothing did. With packages that are `missing`, only
    its commands."""
    page = path.read_text()
    name = str(path.relative_to(ROOT))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        environment["QUANTUM_DOCKER_HOME"] = f"{folder}/home"
        for shared in ("examples", "tests"):
            Path(folder, shared).symlink_to(ROOT / shared)
        program = [] if missing else [python_of(page)]
        jobs = [(f"{name}: python", [sys.executable, "-c", RUNNER, name], text) for text in program]
        jobs += [
            (f"{name}: $ {line}", ["bash", "-euo", "pipefail", "-c", line], "") for line in commands_of(page)
        ]
        for title, command, text in jobs:
            done = subprocess.run(
                command,
                input=text,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS_MAX,
            )
            if done.returncode:
                faults.append(f"{title}\n{done.stderr or done.stdout}\n  again: {shlex.join(command[:1])} …")
        if Path(folder, "home").exists():
            subprocess.run(["qdocker", "stop"], env=environment, capture_output=True, timeout=SECONDS_MAX)
    return faults


def main() -> int:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    linked = [*pages, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    faults = [fault for page in linked for fault in broken_links(page)]
    examples = sorted((ROOT / "examples" / "qdocker").glob("*.yaml"))
    faults += [fault for file in [*linked, *examples] for fault in yaml_faults(file)]
    for page in pages:
        missing = missing_of(python_of(page.read_text()))
        found = run_page(page, missing)
        found += [
            f"{page.name}: QREALM_REQUIRE names {name}, which is not installed"
            for name in missing
            if name in REQUIRED
        ]
        told = f", Python skipped: {', '.join(missing)} is not installed" if missing else ""
        print(f"{'FAILED' if found else 'ok':7}{page.relative_to(ROOT)}{told}")
        faults += found
    for fault in faults:
        print(f"\n{fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
