"""What engines say, and what it means: words as Docker 20.10 and Podman 4.3 said them, and full disks."""

from __future__ import annotations

import pytest

from qrealm.base.errors import (
    CommandNotFoundError,
    CommandNotRunnableError,
    EngineRefusalError,
    ImageError,
    NameTakenError,
    NoSuchContainerError,
)
from qrealm.fleet.containers.connection import refusal

RUNC = "OCI runtime create failed: runc create failed: unable to start container process"


@pytest.mark.parametrize(
    "status, words, kind",
    [
        (404, "No such image: nope:1", ImageError),
        (404, "no such image: docker.io/library/nope:1: image not known", ImageError),
        (404, "pull access denied for nope, repository does not exist or may require", ImageError),
        (404, "manifest for nginx:9.9 not found: manifest unknown: manifest unknown", ImageError),
        (400, "invalid reference format: repository name must be lowercase", ImageError),
        (409, 'Conflict. The container name "/web" is already in use by "ab".', NameTakenError),
        (500, 'the container name "web" is already in use by ab. You have to remove that', NameTakenError),
        (
            409,
            "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service w",
            NameTakenError,
        ),
        (404, "No such container: abc", NoSuchContainerError),
        (404, 'no container with name or ID "abc" found: no such container', NoSuchContainerError),
        (404, "service abc not found", NoSuchContainerError),
        (400, f'{RUNC}: exec: "nope": executable file not found in $PATH: unknown', CommandNotFoundError),
        (400, f'{RUNC}: exec: "/x": stat /x: no such file or directory: unknown', CommandNotFoundError),
        (500, "crun: executable file `nope` not found in $PATH: OCI runtime attempted", CommandNotFoundError),
        (400, f'{RUNC}: exec: "/tmp": permission denied: unknown', CommandNotRunnableError),
        (400, f'{RUNC}: exec: "/tmp": is a directory: unknown', CommandNotRunnableError),
        (500, f"{RUNC}: exec /x: exec format error", CommandNotRunnableError),
        # A mount that fails has the words of a missing command, and is none.
        (400, f'{RUNC}: error mounting "/a": no such file or directory', EngineRefusalError),
        (500, "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated", EngineRefusalError),
        (400, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", EngineRefusalError),
        (404, "network gone not found", EngineRefusalError),
        (500, "write /var/lib/docker/tmp/x: no space left on device", EngineRefusalError),
    ],
)
def test_words(status, words, kind):
    error = refusal("Docker at unix:///x: start web", status, words)
    assert type(error) is kind
    assert words in error.message
    assert error.message.startswith("Docker at unix:///x: start web: ")


def test_what_helps_is_said():
    assert "docker system prune" in refusal("create", 500, "mkdir: no space left on device").hint
    assert "docker load" in refusal("create", 404, "No such image: a").hint
    assert "port" in refusal("start", 500, "port is already allocated").hint


def test_an_answer_without_words():
    assert "status 502" in refusal("info", 502, " \n").message
