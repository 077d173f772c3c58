"""From derivatives by a packed circuit's angles to derivatives by its parameters, for many sets of values at
once. What does not depend on the values is worked out once for each circuit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import ParameterError
from qrealm.circuits import PackedTemplate, ParameterExpression
from qrealm.circuits.parameters import ANGLE_MAX


class ChainRule:
    """The angles of a circuit as functions of its parameters.

    Args:
        template: the circuit, its parameters open.
        asked: the parameters by which to differentiate.

    Attributes:
        template, asked: as given.
        wanted: uint8, shape (len(template.packed.params),): 1 for the angles that the asked parameters move.
    """

    def __init__(self, template: PackedTemplate, asked: tuple[str, ...]) -> None:
        self.template = template
        self.asked = asked
        names = {name: column for column, name in enumerate(template.parameters)}
        plain: list[tuple[int, int]] = []  # angles that are a parameter: (slot, column)
        composed: dict[ParameterExpression, list[int]] = {}
        for slot, expression in zip(template.slots.tolist(), template.expressions, strict=True):
            if expression.op == "parameter":
                plain.append((slot, names[expression.args[0]]))
            else:
                composed.setdefault(expression, []).append(slot)
        self._plain_slots = np.array([slot for slot, _ in plain], dtype=np.intp)
        self._plain_columns = np.array([column for _, column in plain], dtype=np.intp)
        self._composed = [(expression, np.array(slots)) for expression, slots in composed.items()]
        self._pair(plain, composed)

    def _pair(self, plain: list[tuple[int, int]], composed: dict[ParameterExpression, list[int]]) -> None:
        """Lists each angle with each asked parameter in it, sorted by the parameter."""
        place = {name: column for column, name in enumerate(self.asked)}
        pairs: list[tuple[int, int, float | ParameterExpression]] = []
        for slot, column in plain:
            name = self.template.parameters[column]
            if name in place:
                pairs.append((place[name], slot, 1.0))
        for expression, slots in composed.items():
            for parameter in expression.parameters:
                if parameter.name not in place:
                    continue
                slope = expression.derivative(parameter.name)
                found = slope if slope.parameters else float(slope)
                pairs += [(place[parameter.name], slot, found) for slot in slots]
        pairs.sort(key=lambda pair: pair[:2])
        columns = np.array([column for column, _, _ in pairs], dtype=np.intp)
        self._slots = np.array([slot for _, slot, _ in pairs], dtype=np.intp)
        self._fixed = np.array([0.0 if isinstance(s, ParameterExpression) else s for _, _, s in pairs])
        self._varying = [(i, s) for i, (_, _, s) in enumerate(pairs) if isinstance(s, ParameterExpression)]
        self._columns, self._starts = np.unique(columns, return_index=True)
        self._column_of = columns
        self.wanted = np.zeros(len(self.template.packed.params), dtype=np.uint8)
        self.wanted[self._slots] = 1

    def point(self, values: Mapping[Any, float] | Sequence[float]) -> NDArray[np.float64]:
        """One set of values, by name or by column, as a row; shape (1, P).

        Raises:
            ParameterError: a parameter is missing or unknown, or a value is no number.
        """
        names = self.template.parameters
        try:
            if isinstance(values, Mapping):
                named = {getattr(key, "name", key): value for key, value in values.items()}
                row = [named[name] for name in names] if len(named) == len(names) else []
                found = np.array(row, dtype=np.float64)
            else:
                found = np.asarray(values, dtype=np.float64)
        except (KeyError, TypeError, ValueError):
            found = np.zeros(0)
        if found.shape != (len(names),):
            self.template.bind(values)  # says what is wrong
            raise ParameterError(
                f"got values of shape {found.shape}; the circuit's parameters are {list(names)}"
            )
        return found[None, :]

    def angles(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """`packed.params` for rows of values (R, P); shape (R, angles).

        Raises:
            ParameterError: a result is not finite.
        """
        template = self.template
        params = np.repeat(template.packed.params[None, :], len(points), axis=0)
        params[:, self._plain_slots] = points[:, self._plain_columns]
        if self._composed:
            columns = dict(zip(template.parameters, points.T, strict=True))
            for expression, slots in self._composed:
                params[:, slots] = np.broadcast_to(expression.evaluate(columns), len(points))[:, None]
        if not (np.abs(params[:, template.slots]) <= ANGLE_MAX).all():
            template.evaluate(points)  # says which
        return params

    def slopes(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `pull` needs of rows of values (R, P).

        Raises:
            ParameterError: an angle has no finite derivative at some values.
        """
        if not self._varying and np.isfinite(self._fixed).all():
            return self._fixed[None, :]
        found = np.repeat(self._fixed[None, :], len(points), axis=0)
        columns = dict(zip(self.template.parameters, points.T, strict=True))
        with np.errstate(all="ignore"):
            for place, slope in self._varying:
                found[:, place] = slope.evaluate(columns)
        odd = np.argwhere(~np.isfinite(found))
        if len(odd):
            row, place = odd[0]
            slot = int(np.flatnonzero(self.template.slots == self._slots[place])[0])
            raise ParameterError(
                f"the derivative of {self.template.expressions[slot]} by "
                f"{self.asked[self._column_of[place]]} is {found[row, place]} at "
                "these values; the rule is a finite number",
                hint="choose other values, or write the angle without a corner or a vertical slope",
            )
        return found

    def pull(self, derivatives: NDArray[np.float64], slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivatives by the asked parameters, shape (R, asked), from those by all angles (R, angles)."""
        found = np.zeros((len(derivatives), len(self.asked)))
        if len(self._starts):
            found[:, self._columns] = np.add.reduceat(
                derivatives[:, self._slots] * slopes, self._starts, axis=1
            )
        return found


@lru_cache(maxsize=32)
def chain_rule(template: PackedTemplate, asked: tuple[str, ...]) -> ChainRule:
    """The chain rule of a template, kept for the next call."""
    return ChainRule(template, asked)


__all__ = ["ChainRule", "chain_rule"]
