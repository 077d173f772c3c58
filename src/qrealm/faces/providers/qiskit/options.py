"""Options of the primitives, and how they come together from a backend, a dict and keywords."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from qrealm.base.errors import RequestError
from qrealm.circuits.noise.model import NoiseModel
from qrealm.simulate.request import check_seed, draw_seed

Seed = int | np.random.Generator | None
"""From 0 to 2^64 - 1, a NumPy generator that seeds are drawn from, or None for a new one in each run."""


@dataclass(kw_only=True)
class PrimitiveOptions:
    """What the options of both primitives have.

    Attributes:
        seed: the same number gives the same results in every run. A generator gives new ones each time.
        state_precision: ``"single"``, ``"double"`` or ``"auto"``, as `precision` of `qrealm.run`.
        threads: None for one on small circuits and all cores on large ones.
        noise: rules that put noise into every circuit before it runs.
        backend_options: the backend's own, as `options` of `qrealm.run`.
    """

    seed: Seed = None
    state_precision: str = "auto"
    threads: int | None = None
    noise: NoiseModel | None = None
    backend_options: Any = None


@dataclass
class SamplerOptions(PrimitiveOptions):
    """Options of `SamplerV2`: those of `PrimitiveOptions`, and its own.

    Attributes:
        default_shots: shots of a pub that names none.
    """

    default_shots: int = 1024


@dataclass
class EstimatorOptions(PrimitiveOptions):
    """Options of `EstimatorV2`: those of `PrimitiveOptions`, and its own.

    Attributes:
        default_precision: standard error of a pub that names none; 0 for exact values.
    """

    default_precision: float = 0.0


O = TypeVar("O", bound=PrimitiveOptions)  # noqa: E741


def merged(defaults: O, given: O | Mapping[str, Any] | None, keywords: Mapping[str, Any]) -> O:
    """Options from `given` (all of them when it is an options object), then from the keywords that are not
    None.

    Raises:
        RequestError: a name that is no option.
    """
    if given is None:
        base = replace(defaults)
    elif isinstance(given, Mapping):
        known = [field.name for field in fields(defaults)]
        unknown = sorted(str(name) for name in given if name not in known)
        if unknown:
            raise RequestError(
                f"{type(defaults).__name__} got {', '.join(unknown)}; the options are {', '.join(known)}"
            )
        base = replace(defaults, **given)
    elif isinstance(given, type(defaults)):
        base = replace(given)
    else:
        raise RequestError(
            f"options is {given!r:.60}; it must be a dict or {type(defaults).__name__}",
            hint=f"options={{'seed': 7}} or options={type(defaults).__name__}(seed=7)",
        )
    return replace(base, **{name: value for name, value in keywords.items() if value is not None})


def seeds_from(seed: Seed, count: int) -> list[int]:
    """One seed for each of `count` parts of a run.

    Raises:
        RequestError: `seed` is neither None, a generator nor an integer from 0 to 2^64 - 1.
    """
    if isinstance(seed, np.random.Generator):
        return [int(each) for each in seed.integers(0, 1 << 64, size=count, dtype=np.uint64)]
    root = draw_seed() if seed is None else check_seed(seed)
    if count == 1:
        return [root]
    return [int(each) for each in np.random.SeedSequence(root).generate_state(count, np.uint64)]


def check_noise(noise: Any) -> NoiseModel | None:
    """A noise model or None. Raises RequestError."""
    if noise is None or isinstance(noise, NoiseModel):
        return noise
    raise RequestError(
        f"noise is {noise!r:.60}; it must be a NoiseModel of qrealm.circuits.noise",
        hint='NoiseModel().after_gates(depolarizing(0.01, 2), "cx")',
    )


def check_simulator_seed(seed: Seed) -> None:
    """Raises RequestError when it is none."""
    if not (seed is None or isinstance(seed, np.random.Generator)):
        check_seed(seed)
