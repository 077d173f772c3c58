"""Combinatorial problems as diagonal Pauli sums: cuts of a graph and binary quadratic forms."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from qrealm.algorithms.options import QUBITS_MAX, check_whole
from qrealm.base.errors import RequestError
from qrealm.circuits import PauliSum

_GRAPH_RULE = "the rule is edges (i, j) or (i, j, weight), a symmetric weight matrix, or a networkx graph"


def maxcut_hamiltonian(graph: Any) -> PauliSum:
    """The weight of the edges between the vertices with bit 0 and those with bit 1: sum of w (1 - Zi Zj)/2.

    Args:
        graph: edges ``(i, j)`` or ``(i, j, weight)`` with vertices from 0, a symmetric weight matrix of shape
            (n, n), or a networkx graph whose nodes are such integers. Several edges of a pair add up.

    Raises:
        RequestError: no edges, a loop, a vertex that is no integer from 0, or a weight that is not finite.
    """
    terms: list[tuple[str, float]] = []
    total = 0.0
    for first, second, weight in _edges(graph):
        terms.append((f"Z{first} Z{second}", -weight / 2))
        total += weight / 2
    return PauliSum([("I", total), *terms])


def qubo_hamiltonian(matrix: Any, offset: float = 0.0) -> PauliSum:
    """x^T Q x + offset for bits x, with x_i = (1 - Z_i)/2.

    Args:
        matrix: Q, real, shape (n, n); the two entries of a pair add up.
        offset: a constant.

    Raises:
        RequestError: not a square matrix of finite real numbers.
    """
    form = _square(matrix, "the QUBO matrix", "the rule is a real matrix of shape (n, n)")
    terms: list[tuple[str, float]] = [("I", float(offset))]
    for i in range(len(form)):
        terms += [("I", form[i, i] / 2), (f"Z{i}", -form[i, i] / 2)]
        for j in range(i + 1, len(form)):
            share = float(form[i, j] + form[j, i]) / 4
            if share:
                terms += [("I", share), (f"Z{i}", -share), (f"Z{j}", -share), (f"Z{i} Z{j}", share)]
    return PauliSum(terms)


def _edges(graph: Any) -> list[tuple[int, int, float]]:
    """The edges of whatever describes a graph, all checked."""
    rows: Any
    if isinstance(graph, np.ndarray):
        weights = _square(graph, "the weight matrix", _GRAPH_RULE)
        if not np.array_equal(weights, weights.T):
            raise RequestError(f"the weight matrix is not symmetric; {_GRAPH_RULE}")
        if weights.diagonal().any():
            raise RequestError(f"the weight matrix has a loop on its diagonal; {_GRAPH_RULE}")
        rows = [(int(i), int(j), weights[i, j]) for i, j in np.argwhere(np.triu(weights, 1))]
    elif hasattr(graph, "edges"):
        rows = graph.edges(data="weight", default=1.0)
    else:
        rows = graph
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise RequestError(f"the graph is {graph!r:.60}; {_GRAPH_RULE}")
    found = [_edge(row) for row in rows]
    if not found:
        raise RequestError(f"the graph has no edges; {_GRAPH_RULE}")
    return found


def _edge(row: Any) -> tuple[int, int, float]:
    try:
        first, second, *rest = row
        weight = float(rest[0]) if rest else 1.0
    except (TypeError, ValueError):
        raise RequestError(f"an edge is {row!r:.60}; {_GRAPH_RULE}") from None
    low = check_whole("a vertex", first, 0, QUBITS_MAX - 1)
    high = check_whole("a vertex", second, 0, QUBITS_MAX - 1)
    if low == high or len(rest) > 1 or not math.isfinite(weight):
        raise RequestError(f"an edge is {row!r:.60}; {_GRAPH_RULE}, without loops and with finite weights")
    return low, high, weight


def _square(matrix: Any, what: str, rule: str) -> Any:
    try:
        array = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise RequestError(f"{what} is {matrix!r:.60}; {rule}") from None
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not np.isfinite(array).all():
        raise RequestError(f"{what} has the shape {array.shape} or entries that are not finite; {rule}")
    return array
