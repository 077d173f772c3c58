"""What the sampler and the estimator share: options that a backend gives, and the job of many pubs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from qiskit.primitives import PrimitiveResult

from qrealm.base import cancel
from qrealm.faces.providers.qiskit.backend import QrealmBackend
from qrealm.faces.providers.qiskit.jobs import QrealmPrimitiveJob
from qrealm.faces.providers.qiskit.options import O, merged, seeds_from
from qrealm.simulate.backends import backend_named

W = TypeVar("W")


class Primitive(Generic[O]):
    """A primitive's backend and options.

    Args:
        backend: ``"auto"``, another name of `qrealm.QuantumBackend`, or a `QrealmBackend`, whose options are
            then the defaults.
        defaults: all options where nothing else is said; changed by a backend's.
        from_shots: name of the option that a backend's shots give; None when there is none.
        options, keywords: see `qrealm.faces.providers.qiskit.options.merged`.

    Raises:
        UnknownBackendError: there is no backend of this name.
        RequestError: an option is unknown.
    """

    def __init__(
        self,
        backend: str | QrealmBackend,
        defaults: O,
        from_shots: str | None,
        options: O | Mapping[str, Any] | None,
        keywords: Mapping[str, Any],
    ) -> None:
        if isinstance(backend, QrealmBackend):
            theirs = backend.options
            self._backend = backend.name
            defaults.seed = theirs.seed_simulator
            defaults.state_precision = theirs.precision
            defaults.threads = theirs.threads
            defaults.noise = theirs.noise
            defaults.backend_options = theirs.backend_options
            if from_shots is not None:
                setattr(defaults, from_shots, theirs.shots)
        else:
            self._backend = backend_named(backend).value
        self._options = merged(defaults, options, keywords)

    @property
    def options(self) -> O:
        """The options; they may be changed, and count from the next run on."""
        return self._options

    def _submitted(
        self, one: Callable[[W, int, Mapping[str, Any]], Any], works: Sequence[W]
    ) -> QrealmPrimitiveJob:
        """A job that does all works, one after the other, by the options as they are now.

        Args:
            one: (work, seed, arguments of `qrealm.run`) -> the result of one pub.
        """
        chosen = self._options
        seeds = seeds_from(chosen.seed, len(works))
        arguments = {
            "precision": chosen.state_precision,
            "threads": chosen.threads,
            "backend": self._backend,
            "backend_options": chosen.backend_options,
        }

        def all_of_them() -> Any:
            results = []
            for work, seed in zip(works, seeds, strict=True):
                cancel.check()
                results.append(one(work, seed, arguments))
            return PrimitiveResult(results, metadata={"version": 2})

        return QrealmPrimitiveJob(all_of_them)
