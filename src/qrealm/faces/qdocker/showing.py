"""A container as `ps` and `inspect` show it, from the JSON of a `ContainerView`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from qrealm.base.units import format_bytes
from qrealm.faces.qdocker.template_functions import UserMap
from qrealm.faces.qdocker.times import ago, iso, spoken, stamp, with_unit

View = Mapping[str, Any]
Row = dict[str, str]
ID_LETTERS = 12
_CELL_LETTERS = 30
_REASON_LETTERS = 50
_SHARE_SHOWN = 0.0005
_SETTLED = 0.995
_NEVER = "0001-01-01T00:00:00Z"
"""Docker's time of what has not been."""
_AGAIN = "making again"
_WITHOUT_FACTS = {
    "waiting": "Waiting for a node",
    "creating": "Being created",
    "removing": "Removal In Progress",
    "missing": "Missing",
}

COLUMNS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Node": "NODE",
    "Status": "STATUS",
    "Quantum": "QUANTUM",
    "Group": "GROUP",
    "Ports": "PORTS",
    "Names": "NAMES",
}
HEADINGS = {
    "State": "STATE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
    "Cluster": "CLUSTER",
    "Scheduler": "SCHEDULER",
    "Simulated": "SIMULATED",
    "EngineID": "ENGINE ID",
    "QuantumStates": "STATES",
    "QuantumProbability": "PROBABILITY",
    "QuantumWeight": "WEIGHT",
    "QuantumMeasured": "MEASURED",
    "QuantumQubits": "QUBITS",
}


def state_of(view: View) -> str:
    """Docker's word for its state; ``waiting`` for one without a node, ``creating`` while it is made, also
    again, ``missing`` where the engine has it no more, ``unknown`` where no engine answers."""
    if view["facts"] is not None:
        return str(view["facts"]["state"])
    phase = view["record"]["phase"]
    if phase in ("waiting", "creating", "removing"):
        return str(phase)
    if phase == _AGAIN:
        return "creating"
    return "missing" if view["missing"] else "unknown"


def is_simulated(view: View) -> bool:
    """Whether the container is nothing but a record."""
    return view["node"] is not None and bool(view["node"]["simulated"])


def status_of(view: View, now: float | None = None) -> str:
    """Docker's STATUS: ``"Up 3 minutes (healthy)"``."""
    text = _status(view, state_of(view), time.time() if now is None else now)
    return f"{text} (simulated)" if is_simulated(view) else text


def _status(view: View, state: str, now: float) -> str:
    facts = view["facts"]
    if facts is None and view["record"]["phase"] == _AGAIN:
        return "Being made again"
    if facts is None:
        return _WITHOUT_FACTS.get(state, "Unknown: the node does not answer")
    since = facts["started_at"]
    up = spoken(max(0.0, now - since)) if since is not None else "some time"
    if state in ("running", "paused"):
        health = facts["health"]
        marks = f" ({'health: ' if health == 'starting' else ''}{health})" if health else ""
        return f"Up {up}{marks}" + (" (Paused)" if state == "paused" else "")
    if state in ("exited", "restarting"):
        ended = facts["finished_at"]
        name = "Exited" if state == "exited" else "Restarting"
        code = facts["exit_code"]
        text = f"{name} ({'unknown' if code is None else code})"
        return f"{text} {ago(ended, now)}" if ended is not None else text
    return {"created": "Created", "removing": "Removal In Progress", "dead": "Dead"}.get(state, state)


def quantum_of(view: View) -> str:
    """``"running 20% stopped 80%"``; a state that is certain stands alone, with a mark if it was measured."""
    shares = view["probabilities"]
    measured = view["record"]["measured"]
    state, most = max(shares.items(), key=lambda item: item[1])
    if most >= _SETTLED:
        return f"{state} (measured)" if measured and measured["state"] == state else state
    return " ".join(f"{name} {share:.0%}" for name, share in shares.items() if share >= _SHARE_SHOWN)


def ports_of(view: View) -> str:
    """``"0.0.0.0:8080->80/tcp, 443/udp"``; none for a container that does not run."""
    return ", ".join(_port(port) for port in _open_ports(view))


def _open_ports(view: View) -> Sequence[Mapping[str, Any]]:
    facts = view["facts"]
    return facts["ports"] if facts is not None and facts["state"] in ("running", "paused") else ()


def _port(port: Mapping[str, Any]) -> str:
    inner = f"{port['container_port']}/{port['protocol']}"
    if port["host_port"] is None:
        return inner
    address = port["host_ip"] or "0.0.0.0"
    return f"{f'[{address}]' if ':' in address else address}:{port['host_port']}->{inner}"


def ps_row(view: View, *, full: bool, now: float | None = None) -> Row:
    """A row of `ps`: Docker's fields and ours, as text. `full`: nothing is cut."""
    record, spec, quantum = view["record"], view["record"]["spec"], view["record"]["quantum"]
    others = ",".join(name for name in view["group"] if name != record["name"])
    command = " ".join(word for words in _run_by(view) for word in words or ())
    mounts = ",".join(mount["source"] for mount in spec["mounts"])
    return {
        "ID": record["id"] if full else record["id"][:ID_LETTERS],
        "Image": spec["image"] if full else _cut(spec["image"]),
        "Command": f'"{command}"' if full else f'"{_cut(command)}"',
        "Node": record["node"] or "",
        "State": state_of(view),
        "Status": status_of(view, now),
        "CreatedAt": stamp(record["created_at"]),
        "RunningFor": ago(record["created_at"], now),
        "Quantum": quantum_of(view),
        "Group": others if full else _cut(others),
        "Ports": ports_of(view),
        "Names": record["name"],
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(spec["labels"].items())),
        "Mounts": mounts if full else _cut(mounts),
        "LocalVolumes": str(sum(not mount["source"].startswith("/") for mount in spec["mounts"])),
        "Networks": spec["network"] or "",
        "Cluster": record["cluster"] or "",
        "Scheduler": record["scheduler"],
        "Simulated": "true" if is_simulated(view) else "false",
        "EngineID": record["engine_id"] or "",
        "QuantumStates": ",".join(quantum["states"]),
        "QuantumProbability": f"{quantum['probability']:g}",
        "QuantumWeight": f"{quantum['weight']:g}",
        "QuantumMeasured": record["measured"]["state"] if record["measured"] else "",
        "QuantumQubits": str(view["num_qubits"]),
    }


def _run_by(view: View) -> tuple[Sequence[str] | None, Sequence[str] | None]:
    """Entrypoint and command: the image's own where nothing else was asked for and the engine tells."""
    facts, spec = view["facts"], view["record"]["spec"]
    known = facts is not None and (facts["entrypoint"] or facts["command"])
    return (facts if known else spec)["entrypoint"], (facts if known else spec)["command"]


def inspect_document(view: View) -> dict[str, Any]:
    """What `inspect` prints: Docker's outline, with `Quantum` beside it."""
    record, spec = view["record"], view["record"]["spec"]
    return {
        "Id": record["id"],
        "Name": record["name"],
        "Created": iso(record["created_at"]),
        "Image": spec["image"],
        "State": _state_document(view),
        "Node": None if view["node"] is None else _node_document(view["node"]),
        "EngineId": record["engine_id"],
        "Simulated": is_simulated(view),
        "Quantum": _quantum_document(view),
        "Config": _config_document(view),
        "HostConfig": {
            "NanoCpus": round(spec["limits"]["cpus"] * 1e9),
            "Memory": spec["limits"]["memory_bytes"],
            "MemorySwap": spec["limits"]["memory_bytes"],
            "PidsLimit": spec["limits"]["pids"],
            "RestartPolicy": {
                "Name": spec["restart"]["name"],
                "MaximumRetryCount": spec["restart"]["retries_max"],
            },
            "ReadonlyRootfs": spec["read_only"],
            "CapAdd": spec["cap_add"],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "NetworkMode": spec["network"] or "default",
            "Init": spec["init"],
            "PortBindings": _ports_document(spec["ports"]),
            "Tmpfs": UserMap({folder["target"]: _tmpfs_options(folder) for folder in spec["tmpfs"]}),
        },
        "Mounts": [_mount_document(mount) for mount in spec["mounts"]]
        + [_in_memory_document(folder) for folder in spec["tmpfs"]],
        "NetworkSettings": {"Ports": _ports_document(_open_ports(view))},
        "Cluster": record["cluster"],
        "Scheduler": record["scheduler"],
        "Phase": record["phase"],
        "Wanted": record["wanted"],
        "Restarts": record["restarts"],
    }


def _config_document(view: View) -> dict[str, Any]:
    spec = view["record"]["spec"]
    entrypoint, command = _run_by(view)
    return {
        "Hostname": spec["hostname"] or "",
        "Image": spec["image"],
        "Cmd": command,
        "Entrypoint": entrypoint,
        "Env": [f"{name}={value}" for name, value in spec["environment"].items()],
        "Labels": UserMap(dict(sorted(spec["labels"].items())), absent=""),
        "User": spec["user"] or "",
        "WorkingDir": spec["working_dir"] or "",
        "StopTimeout": _whole(spec["stop_grace_s"]),
        "Healthcheck": spec["health"] and _health_document(spec["health"]),
    }


def _whole(seconds: float) -> float:
    """As Docker writes them, where they are whole."""
    return int(seconds) if float(seconds).is_integer() else seconds


def _quantum_document(view: View) -> dict[str, Any]:
    quantum, measured = view["record"]["quantum"], view["record"]["measured"]
    return {
        "States": quantum["states"],
        "DeclaredProbability": quantum["probability"],
        "Weight": quantum["weight"],
        "Probabilities": UserMap(view["probabilities"]),
        "Measured": measured and {"State": measured["state"], "At": iso(measured["at"])},
        "Group": view["group"],
        "Relations": [
            {
                "With": each["other"],
                "Mode": each["mode"],
                "Follows": each["follows"],
                "Spent": each["spent"],
                "Holds": each["holds"],
            }
            for each in view["relations"]
        ],
        "NumQubits": view["num_qubits"],
        "Purity": view["purity"],
        "CoherenceBits": view["coherence_bits"],
        "Simulator": view["simulator"],
    }


def _state_document(view: View) -> dict[str, Any]:
    """Docker's fields, also where no engine tells them; an exit code that is not known is None, not 0."""
    facts, state = view["facts"], state_of(view)
    told: Mapping[str, Any] = facts or {}
    health, started, ended = told.get("health"), told.get("started_at"), told.get("finished_at")
    return {
        "Status": state,
        "Running": state in ("running", "paused", "restarting"),  # as Docker has it
        "Paused": state == "paused",
        "Restarting": state == "restarting",
        "OOMKilled": told.get("out_of_memory", False),
        "Dead": state == "dead",
        "ExitCode": _exit_code(facts, view["node"]),
        "Error": told.get("error", ""),
        "StartedAt": _NEVER if started is None else iso(started),
        "FinishedAt": _NEVER if ended is None else iso(ended),
        "Health": None if health is None else {"Status": health},
    }


def _exit_code(facts: Mapping[str, Any] | None, node: Mapping[str, Any] | None) -> int | None:
    """As Docker 0 while nothing has ended or failed; None for one that is not known."""
    if facts is None:
        return None
    if facts["exit_code"] is None:
        over = facts["state"] in ("exited", "dead", "restarting") or facts["error"]
        # Podman forgets a start that failed: what has not run may be one of those.
        podman = node is not None and node["endpoint"]["driver"] == "podman"
        return None if over or (podman and facts["state"] == "created") else 0
    return int(facts["exit_code"])


def _health_document(health: Mapping[str, Any]) -> dict[str, Any]:
    """Times in nanoseconds."""
    return {
        "Test": ["CMD", *health["command"]],
        "Interval": round(health["interval_s"] * 1e9),
        "Timeout": round(health["timeout_s"] * 1e9),
        "StartPeriod": round(health["start_period_s"] * 1e9),
        "Retries": health["retries"],
    }


def _ports_document(ports: Sequence[Mapping[str, Any]]) -> UserMap:
    """By ``"80/tcp"``, where each is shown on the host; text, as Docker has it."""
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        outer = "" if port["host_port"] is None else str(port["host_port"])
        shown = found.setdefault(f"{port['container_port']}/{port['protocol']}", [])
        shown.append({"HostIp": port["host_ip"], "HostPort": outer})
    return UserMap(found)


def _mount_document(mount: Mapping[str, Any]) -> dict[str, Any]:
    bound = mount["source"].startswith("/")
    return {
        "Type": "bind" if bound else "volume",
        **({} if bound else {"Name": mount["source"]}),
        "Source": mount["source"],
        "Destination": mount["target"],
        "Mode": "ro" if mount["read_only"] else "",
        "RW": not mount["read_only"],
    }


def _in_memory_document(folder: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": "tmpfs", "Source": "", "Destination": folder["target"], "Mode": "", "RW": True}


def _tmpfs_options(folder: Mapping[str, Any]) -> str:
    """The options of a folder in memory as `--tmpfs` takes them."""
    size, mode = folder["size_bytes"], folder["mode"]
    options = [] if size is None else [f"size={size}"]
    return ",".join(options if mode is None else [*options, f"mode={mode:o}"])


def _node_document(node: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Name": node["name"],
        "Engine": node["engine"],
        "Driver": node["endpoint"]["driver"],
        "Endpoint": node["endpoint"]["url"],
        "State": node["state"],
    }


def node_row(view: View, now: float | None = None, *, full: bool = False, exact: bool = False) -> Row:
    """A row of `nodes ls`; `full`: nothing is cut; `exact`: when it was seen as a time, not as how long
    ago."""
    record = view["record"]
    endpoint = record["endpoint"]
    where = endpoint["url"] or ("default" if endpoint["folder"] is None else "simulated://")
    if inside := endpoint["member"] or (not endpoint["url"] and endpoint["folder"]):
        where += f" ({inside})"
    if not full and where.startswith("simulated:// "):
        where = f"simulated: {record['cpus']:g} CPU, {format_bytes(record['memory_bytes'])}"
    labels = ",".join(f"{key}={value}" for key, value in sorted(record["labels"].items()))
    return {
        "Name": record["name"],
        "Status": _node_status(record, time.time() if now is None else now),
        "Driver": endpoint["driver"],
        "Engine": record["engine"],
        "Endpoint": where if full else _cut(where),
        "Containers": str(view["containers"]),
        "CPU": f"{view['cpus_taken']:g} / {cpus_allowed(view['cpus_allowed'], record['cpus'])}",
        "Memory": f"{format_bytes(view['memory_taken_bytes'])} / {format_bytes(record['memory_bytes'])}",
        "Load": f"{view['load']:.2f}",
        "Labels": labels if full else _cut(labels),
        "Reason": view["error"] if full else _short_reason(view["error"], endpoint["url"]),
        "Seen": _seen(record["seen_at"], now, exact=exact),
    }


def decay_times(report: View) -> str:
    """Of the engine's status, or of what was entangled: ``"T2 1 s, T1 10 s"``."""
    t2, t1 = (float(report[name]) / 1e3 for name in ("decoherence_time_ms", "relaxation_time_ms"))
    return f"T2 {with_unit(t2)}, T1 {with_unit(t1)}"


def cpus_allowed(allowed: float, there: float) -> str:
    """What limits may add up to; where that is not what there is, how it comes about: ``"8 (2 x 4)"``."""
    if not there or allowed == there:
        return f"{allowed:g}"
    return f"{allowed:g} ({there:g} x {allowed / there:g})"


def _short_reason(error: str, url: str) -> str:
    """Without the engine's address, which has a column of its own."""
    _, there, reason = error.partition(f"{url}: ")
    return _cut(reason if there else error, _REASON_LETTERS)


def _seen(at: float, now: float | None, *, exact: bool) -> str:
    if float(at) <= 0:
        return "never"
    return iso(at) if exact else ago(at, now)


def _node_status(record: View, now: float) -> str:
    """How long ago a lost node answered last belongs to it; the reason has a column of its own."""
    text = str(record["state"]).capitalize()
    if record["state"] == "lost" and float(record["seen_at"]) > 0:
        text += f" {ago(record['seen_at'], now)}"
    return text + (" (simulated)" if record["simulated"] else "")


def _cut(text: str, letters: int = _CELL_LETTERS) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
