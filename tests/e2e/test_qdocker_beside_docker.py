"""The `qdocker` command beside Docker's own, on one engine: the same templates print the same, and a
container that ends again and again is told."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from engines import qdocker_daemon as daemon
from engines.eyes import clean, docker, why_no_eyes
from engines.image import IMAGE
from engines.qdocker_daemon import daemon_on

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

TEMPLATES = (
    "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}",
    '{{index .Config.Labels "org.tier"}}|{{index .Config.Labels "nope"}}|{{.Config.Labels.nope}}',
    '{{.Config.Image | upper}} {{len .Config.Cmd}} {{join .Config.Cmd ","}} {{json .Config.Cmd}}',
    "{{range .Config.Cmd}}[{{.}}]{{end}}{{range $i, $word := .Config.Cmd}}{{$i}}{{$word}};{{end}}",
    "{{range $port, $where := .HostConfig.PortBindings}}{{$port}}={{(index $where 0).HostPort}} {{end}}",
    "{{json .HostConfig.PortBindings}} {{.HostConfig.RestartPolicy.Name}}",
    "{{json .Config.Healthcheck.Test}} {{json .Config.Healthcheck.Interval}} {{.Config.Healthcheck.Retries}}",
    '{{if eq .State.Status "running"}}{{.State.ExitCode}}{{else}}no{{end}} {{.State.FinishedAt}}',
    '{{.State.Running}} {{not .State.Paused}} {{and .State.Running "x"}} {{or .State.Error "none"}}',
    '{{printf "%-10s|%d|%v" .State.Status .HostConfig.Memory .Config.Cmd}} {{slice .Config.Image 0 3}}',
    "{{with .State}}{{.Status}}{{end}} {{- .HostConfig.NetworkMode -}}  {{.HostConfig.CapDrop}}",
)


@pytest.fixture
def qdocker(url: str) -> Iterator[Run]:
    with daemon_on(url) as environment:
        yield partial(daemon.qdocker, environment)
    clean([url])


def create(qdocker: Run, name: str, *command: str, options: tuple[str, ...]) -> str:
    """Make and start it; the engine's id of it."""
    fixed = ("--network", "none", "--quantum-probability", "1")
    done = qdocker("create", *fixed, *options, IMAGE, name, *command)
    assert done.returncode == 0, done.stderr
    return str(qdocker("inspect", "-f", "{{.EngineId}}", name).stdout.strip())


def test_templates_print_what_dockers_own_prints(qdocker, url):
    options = ("-l", "org.tier=web", "-e", "A=1", "-m", "64m", "--cpu", "0.5", "-p", "127.0.0.1:18099:80")
    check = ("--health-cmd", "true", "--health-interval", "5s", "--health-retries", "2")
    identity = create(qdocker, "web", "sleep", "1000", options=(*options, *check))
    assert qdocker("run", "web").returncode == 0
    for template in TEMPLATES:
        ours = qdocker("inspect", "-f", template, "web")
        assert (ours.returncode, ours.stderr) == (0, ""), template
        assert ours.stdout.strip() == docker(url, "inspect", "-f", template, identity).strip(), template


def test_a_crash_loop_is_told(qdocker):
    # `run` looks for less than a second, in which a busy machine may not bring one to its end.
    for name in ("crash", "crash-again", "crash-at-last"):
        create(qdocker, name, "sh", "-c", "exit 3", options=("--restart", "always"))
        done = qdocker("run", name)
        assert done.returncode == 0
        assert f"{name}: measured running (probability 1), started\n" in done.stdout
        if done.stderr:
            break
    assert done.stderr.startswith(f"warning: container {name} ended at once")
    assert "its engine starts it again" in done.stderr
    assert f"hint: qdocker logs {name}" in done.stderr
    # Started by hand after a rest, one that goes on is not taken for such a one.
    create(qdocker, "web", "sleep", "1000", options=())
    assert qdocker("run", "web").stderr == ""
    assert qdocker("stop-container", "--time", "0", "web").returncode == 0
    time.sleep(0.1)
    assert qdocker("run", "web").stderr == ""
