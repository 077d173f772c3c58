"""Max-Cut graphs in the G-set's form (rudy's output): nodes and edges on the first line, then a line for
each edge: its two ends, counted from 1, and its weight, which is 1 where it is left out."""

from __future__ import annotations

import numpy as np

from qrealm.base.errors import SyntaxReadError
from qrealm.optimize.problems import MaxCut
from qrealm.optimize.problems.binary import VARIABLES_MAX

SUFFIXES = (".gset", ".rud", ".mc")


def read_gset(text: str, name: str = "<text>") -> MaxCut:
    """The graph in a G-set file. Raises SyntaxReadError, with the line."""
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise SyntaxReadError("the file is empty; its first line must be: nodes edges", source=name)
    first, header = lines[0]
    sizes = [int(word) if word.isdecimal() else -1 for word in header]
    if len(sizes) != 2 or min(sizes) < 0 or sizes[0] > VARIABLES_MAX:
        raise SyntaxReadError(
            f"{' '.join(header)[:60]!r} stands where the numbers of nodes and edges must, at most "
            f"{VARIABLES_MAX} nodes",
            source=name,
            line=first,
            column=1,
        )
    nodes, edges = sizes
    if len(lines) != edges + 1:
        raise SyntaxReadError(
            f"line {first} promises {edges} edges; there are {len(lines) - 1}",
            source=name,
            line=first,
            column=1,
        )
    table = np.array([_edge(line, nodes, name) for line in lines[1:]], dtype=np.float64).reshape(edges, 3)
    ends = table[:, :2].astype(np.int64) - 1
    return MaxCut.build(nodes, ends[:, 0], ends[:, 1], table[:, 2], name=name)


def write_gset(graph: MaxCut) -> str:
    """The file of a graph; `read_gset` gives the graph back."""
    rows = zip(graph.edges.rows.tolist(), graph.edges.cols.tolist(), graph.edges.values.tolist(), strict=True)
    lines = [f"{first + 1} {second + 1} {weight:.17g}" for first, second, weight in rows]
    return "\n".join([f"{graph.num_nodes} {len(lines)}", *lines]) + "\n"


def _edge(line: tuple[int, list[str]], nodes: int, name: str) -> tuple[float, float, float]:
    number, words = line
    try:
        first, second = int(words[0]), int(words[1])
        weight = float(words[2]) if len(words) == 3 else 1.0
        right = len(words) in (2, 3) and np.isfinite(weight)
    except (ValueError, IndexError):
        first = second = 0
        weight, right = 0.0, False
    if not right or not 1 <= first <= nodes or not 1 <= second <= nodes:
        raise SyntaxReadError(
            f"{' '.join(words)[:60]!r} stands where two nodes of 1 to {nodes} and a weight must",
            source=name,
            line=number,
            column=1,
        )
    return first, second, weight
