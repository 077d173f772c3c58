"""What callers send to the container routes, where it is not a record of the engine's own."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Body(BaseModel):
    """Unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Run(_Body):
    """`force`: start the container whatever is measured."""

    force: bool = False


class Stop(_Body):
    """`grace_s`: seconds between SIGTERM and SIGKILL; None for the container's own."""

    grace_s: float | None = None


class Entangle(_Body):
    """Two containers and how the second follows the first."""

    first: str
    second: str
    mode: Literal["same", "opposite", "spread"] = "same"


class Disentangle(_Body):
    """Containers whose relations to each other end."""

    names: list[str]


class Gate(_Body):
    """A gate, the containers that it acts on, its angle in radians, and which qubit of each (None: all)."""

    gate: str
    names: list[str] = Field(min_length=1, max_length=2)
    angle: float | None = None
    qubit: int | None = 0


class Balance(_Body):
    """Containers to place anew; `scheduler` None for the configured one."""

    names: list[str]
    scheduler: str | None = None
    dry_run: bool = False


class Rebalance(_Body):
    """As `Balance`, over all containers."""

    scheduler: str | None = None
    dry_run: bool = False


class Cluster(_Body):
    """The text of a cluster or Compose file; `filename` is what messages call it, `environ` has the variables
    that it names, and relative host folders in it begin at `folder`."""

    text: str
    filename: str
    environ: dict[str, str]
    folder: str
    scheduler: str | None = None


class NewNode(_Body):
    """A node; `endpoint` is an `Endpoint` as JSON. Limits: None for what the engine says."""

    name: str
    endpoint: dict[str, Any]
    labels: dict[str, str] = Field(default_factory=dict)
    cpus: float | None = None
    memory_bytes: int | None = None


class Message(_Body):
    """A message; `intercept_share` is the share of pairs that an eavesdropper of the simulation measures."""

    sender: str
    receiver: str
    type: str
    data: Any
    intercept_share: float = 0.0


class State(_Body):
    """An exported state; `take_over`: replace containers that the engine still has that it was exported
    from; `lose_volumes`: also where volumes without a name go with them."""

    data: dict[str, Any]
    take_over: bool = False
    lose_volumes: bool = False
