"""What a request may have to wait for: it takes turns with others about the same containers and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Turns = Mapping[str, list[str]]
"""Parameters of ``/at-work``, which tells who is at what."""


def turns_of(method: str, path: str, body: Any) -> Turns:
    """What a request waits for by its path and body; nothing where it takes no turns."""
    try:
        match method, path.removeprefix("/").split("/"):
            case ("POST", ["containers"]):
                return {"container": [body["spec"]["name"]]}
            case ("DELETE", ["containers", name]) | ("POST", ["containers", name, "run" | "stop"]):
                return {"container": [name]}
            case ("POST", ["load-balance"]):
                return {"container": body["names"]}
            case ("POST", ["nodes"]):
                return {"on_node": [body["name"]]}
            case ("DELETE", ["nodes", name]):
                return {"removal": [name], "on_node": [name]}
            case ("POST", ["nodes", name, "drain"]):
                return {"drain": [name], "on_node": [name]}
            case ("DELETE", ["clusters", name]):
                return {"of_cluster": [name]}
            case ("POST", ["clusters"]):
                return _of_file(**body)
    except (LookupError, TypeError):  # a body that the daemon refuses
        pass
    return {}


def _of_file(text: str, filename: str, environ: Mapping[str, str], folder: str, **_: Any) -> Turns:
    """Who makes a cluster takes turns with others that make it, and with those about its containers. Raises
    ConfigError."""
    from qrealm.control.containers.files import load_cluster

    file = load_cluster(text, filename, environ, folder)
    return {"cluster": [file.name], "container": [entry.spec.name for entry in file.containers]}
