"""Completion as it is seen at a terminal: bash and zsh on a pseudo terminal, keys typed, Tab pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

import pytest

from engines.qdocker_daemon import QDOCKER, daemon_with, environment_of, own_folder, qdocker

DEADLINE_S = 120.0
"""For anything a shell is waited for, however slow the machine is."""

CONFIG = """\
nodes:
  - {name: big, driver: simulated, cpus: 8, memory: 8192}
  - {name: small, driver: simulated, cpus: 8, memory: 8192}
"""
CLUSTER = """\
name: shop
containers:
  - {name: front, image: busybox}
"""
COMMAND = f"""\
#!/bin/sh
case $1 in
  __complete|completion) exec {" ".join(QDOCKER)} "$@" ;;
esac
printf 'took:'
printf ' <%s>' "$@"
echo ' :took'
"""
"""Stands for qdocker: it completes as qdocker does, and says of any other command which words it got."""

PROMPT = "ready> "
SHELLS = {
    "bash": ("bash", "--noprofile", "--rcfile", "{folder}/bashrc", "-i"),
    "zsh": ("zsh", "-d", "-i"),  # -d: no files of the machine
}
RC = {
    "bash": f"PS1='{PROMPT}'\nbind 'set bell-style none'\n",
    "zsh": f"PS1='{PROMPT}'\nunsetopt prompt_sp beep\nLISTMAX=1000\n",
}
SOURCED = "source <(qdocker completion {shell})\n"
FROM_FOLDER = """\
fpath=({folder}/zfunc $fpath)
autoload -Uz compinit && compinit -u
"""
ZSH = pytest.param(
    "zsh", marks=pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh: apt install zsh")
)


class Typist:
    """An interactive shell on a pseudo terminal."""

    def __init__(self, shell: str, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._ours, theirs = pty.openpty()
        ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self._process = subprocess.Popen(
            [word.format(folder=folder) for word in SHELLS[shell]], cwd=folder, env=environment,
            stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self._seen = ""
        self.everything = self._wait_for(re.escape(PROMPT))

    def completed(self, line: str) -> list[str]:
        """The words that qdocker gets when a line is typed, Tab is pressed, and then Enter."""
        os.write(self._ours, f"qdocker {line}\t\r".encode())
        found = self._wait_for(r"took:(.*) :took")
        self.everything += found + self._wait_for(re.escape(PROMPT))
        told = re.search(r"took:(.*) :took", found)
        assert told is not None
        return re.findall(r" <(.*?)>(?= <|$)", told[1])

    def listed(self, line: str, *names: str) -> None:
        """Wait until all these names are shown after a line is typed and Tab pressed twice. The line stays:
        nothing can be typed into this shell afterwards."""
        os.write(self._ours, f"qdocker {line}\t\t".encode())
        for name in names:
            self._wait_for(rf"(?<![\w-]){re.escape(name)}(?![\w-])", keep=True)

    def end(self) -> None:
        os.close(self._ours)
        try:
            self._process.wait(timeout=DEADLINE_S)
        finally:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()

    def _wait_for(self, pattern: str, *, keep: bool = False) -> str:
        """What was written up to the end of the pattern."""
        until = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, self._seen)):
            left = max(0.0, until - time.monotonic())
            assert select.select([self._ours], [], [], left)[0], f"no {pattern!r} in {self._seen!r}"
            self._seen += os.read(self._ours, 1 << 16).decode()
        text = self._seen[: found.end()]
        if not keep:
            self._seen = self._seen[found.end() :]
        return text


Begin = Callable[..., Typist]


@contextmanager
def typists(variables: dict[str, str]) -> Iterator[Begin]:
    """Begins shells with a home of their own, in which nothing of the user's counts."""
    begun: list[Typist] = []
    with own_folder() as folder:
        (folder / "bin").mkdir()
        command = folder / "bin" / "qdocker"
        command.write_text(COMMAND)
        command.chmod(0o755)
        for name in ("config.yaml", "cluster file.yaml"):
            (folder / "files" / name).parent.mkdir(exist_ok=True)
            (folder / "files" / name).touch()
        environment = {
            **{name: text for name, text in variables.items() if not name.startswith(("LC_", "ZDOT"))},
            "HOME": str(folder), "ZDOTDIR": str(folder), "INPUTRC": "/dev/null", "HISTFILE": "",
            "PATH": f"{folder / 'bin'}:{variables['PATH']}", "LC_ALL": "C.UTF-8", "TERM": "dumb",
        }  # fmt: skip

        def begin(shell: str, rc: str = SOURCED) -> Typist:
            text = RC[shell] + rc.format(shell=shell, folder=folder)
            (folder / {"bash": "bashrc", "zsh": ".zshrc"}[shell]).write_text(text)
            if "zfunc" in rc:
                (folder / "zfunc").mkdir(exist_ok=True)
                script = subprocess.run(
                    [command, "completion", shell], env=environment, capture_output=True, check=True
                ).stdout
                (folder / "zfunc" / "_qdocker").write_bytes(script)
            begun.append(Typist(shell, folder, environment))
            return begun[-1]

        try:
            yield begin
        finally:
            for each in begun:
                each.end()


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with daemon_with(CONFIG) as found, own_folder() as folder:
        (folder / "cluster.yaml").write_text(CLUSTER)
        for words in (
            ("create", "busybox", "web-1"),
            ("create", "busybox", "web-2"),
            ("create", "busybox", "other"),
            ("create-cluster", str(folder / "cluster.yaml")),
        ):
            done = qdocker(found, *words)
            assert done.returncode == 0, done.stderr
        yield found


@pytest.fixture
def begin(variables: dict[str, str]) -> Iterator[Begin]:
    with typists(variables) as found:
        yield found


LINES = {
    # commands and options
    "mea": "measure",
    "nodes dr": "nodes drain",
    "create --quantum-p": "create --quantum-probability",
    "nodes ls --no-t": "nodes ls --no-trunc",
    # names
    "'run' ot": "run other",
    '"run" ot': "run other",
    "ru\\n ot": "run other",
    "nodes 'drain' bi": "nodes drain big",
    "entangle other web-1 '--mode' op": "entangle other web-1 --mode opposite",
    "ps '--filter' status=ru": "ps --filter status=running",
    "run ot": "run other",
    "run we": "run web-",
    "entangle other ot": "entangle other other",
    "stop-container -t 3 other ot": "stop-container -t 3 other other",
    "logs -f ot": "logs -f other",
    "rm-cluster sh": "rm-cluster shop",
    "nodes drain bi": "nodes drain big",
    "create --node bi": "create --node big",
    # where names belong, and where not
    "apply-gate other IS": "apply-gate other ISWAP",  # the beginning of several
    "apply-gate other ISWAPD": "apply-gate other ISWAPDG",
    "apply-gate --angle 1 ot": "apply-gate --angle 1 other",
    "apply-gate other CX ot": "apply-gate other CX other",
    "apply-gate --angle ot": "apply-gate --angle ot",
    "logs other ot": "logs other ot",
    "exec other ot": "exec other ot",
    "exec other ls --us": "exec other ls --us",
    "create busybox ot": "create busybox ot",
    # values of options, with a blank and with =
    "entangle other web-1 --mode op": "entangle other web-1 --mode opposite",
    "entangle other web-1 --mode=op": "entangle other web-1 --mode=opposite",
    "create --node=bi": "create --node=big",
    "create --pull=mi": "create --pull=missing",
    "create --restart=unl": "create --restart=unless-stopped",
    "load-balance other --scheduler=portf": "load-balance other --scheduler=portfolio",
    "inspect -f js": "inspect -f json",
    "ps --format=ta": "ps --format=table",
    # keys of filters, after which more is typed, and their values
    "ps --filter sta": "ps --filter status=",
    "ps --filter status=ru": "ps --filter status=running",
    "ps --filter=status=ru": "ps --filter=status=running",
    "ps -a -f name=ot": "ps -a -f name=other",
    "ps -f node=bi": "ps -f node=big",
    "ps -f cluster=sh": "ps -f cluster=shop",
    "events --filter type=cont": "events --filter type=container",
    "nodes ls -f driver=po": "nodes ls -f driver=podman",
    # colons, which bash takes for ends of words
    "nodes add x --url tcp://x:2375 --driver=sw": "nodes add x --url tcp://x:2375 --driver=swarm",
    "create -v /a:/b:ro --node bi": "create -v /a:/b:ro --node big",
    # files
    "start --config files/con": "start --config files/config.yaml",
    "start --config=files/con": "start --config=files/config.yaml",
    "export-state --filename files/con": "export-state --filename files/config.yaml",
    "import-state -f files/con": "import-state -f files/config.yaml",
    "create-cluster files/clu": "create-cluster 'files/cluster file.yaml'",
    "create-cluster ~/files/con": "create-cluster {home}/files/config.yaml",
}


EITHER = pytest.mark.parametrize("shell", ["bash", ZSH])


@EITHER
def test_lines_are_completed(begin, shell):
    typist = begin(shell)
    for line, whole in LINES.items():
        assert typist.completed(line) == shlex.split(whole.format(home=typist.folder)), line
    for word in ("not found", "rror", "hint", "Traceback"):
        assert word not in typist.everything


VALUES_WITH_OPTIONS = {
    "start --config=files/con": "start --config=files/config.yaml",
    "start --config=files/clu": "start '--config=files/cluster file.yaml'",
    "start --config=files/cluster\\ f": "start '--config=files/cluster file.yaml'",
    "start --config='files/cluster f": "start '--config=files/cluster file.yaml'",
    'start "--config=files/cluster f': "start '--config=files/cluster file.yaml'",
    "start --config=fil": "start --config=files/",
    "start --config=files/nothing": "start --config=files/nothing",
    "start --config files/clu": "start --config 'files/cluster file.yaml'",
    "create --node=bi": "create --node=big",
    "ps --filter=status=ru": "ps --filter=status=running",
    "ps --filter status=ru": "ps --filter status=running",
}


def test_a_bash_that_leaves_option_and_value_together_completes_the_value(begin):
    typist = begin("bash", f"COMP_WORDBREAKS=${{{{COMP_WORDBREAKS//=}}}}\n{SOURCED}")
    for line, whole in VALUES_WITH_OPTIONS.items():
        assert typist.completed(line) == shlex.split(whole), line
    for word in ("not found", "rror", "hint", "Traceback"):
        assert word not in typist.everything


@EITHER
def test_all_that_fit_are_listed(begin, shell):
    begin(shell).listed("run ", "web-1", "web-2", "other", "front")
    begin(shell).listed("ps --filter status=", "running", "exited", "dead")
    begin(shell).listed("run --", "--force", "--format", "--help")


@pytest.mark.parametrize("shell", [ZSH])
@pytest.mark.parametrize(
    "rc",
    [
        pytest.param(FROM_FOLDER, id="folder"),
        pytest.param(f"autoload -Uz compinit && compinit -u\n{SOURCED}", id="sourced after compinit"),
    ],
)
def test_the_first_tab_of_a_shell_completes(begin, shell, rc):
    for line, whole in (("mea", ["measure"]), ("ps -f status=ru", ["ps", "-f", "status=running"])):
        typist = begin(shell, rc)
        assert typist.completed(line) == whole
        assert typist.completed("run ot") == ["run", "other"]
        assert "not found" not in typist.everything


@EITHER
def test_without_a_daemon_there_is_silence(shell):
    with own_folder() as folder, typists(environment_of(folder / "h")) as begin:
        typist = begin(shell)
        for line, whole in (("run ot", "run ot"), ("nodes drain ", "nodes drain"), ("mea", "measure")):
            assert typist.completed(line) == whole.split()
        for word in ("daemon", "hint", "rror", "Traceback"):
            assert word not in typist.everything
        assert not (folder / "h").exists(), "no daemon was started"


@EITHER
def test_a_daemon_of_another_version_is_met_with_silence(variables, tmp_path, shell):
    later = tmp_path / "qrealm-9.9.dist-info"
    later.mkdir()
    (later / "METADATA").write_text("Metadata-Version: 2.1\nName: qrealm\nVersion: 9.9\n")
    paths = os.pathsep.join(filter(None, [str(tmp_path), variables.get("PYTHONPATH")]))
    with typists({**variables, "PYTHONPATH": paths}) as begin:
        typist = begin(shell)
        assert typist.completed("run ot") == ["run", "ot"]
        assert typist.completed("entangle a b --mode=op") == ["entangle", "a", "b", "--mode=opposite"]
        for word in ("version", "hint", "rror", "Traceback"):
            assert word not in typist.everything
