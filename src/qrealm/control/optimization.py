"""What faces call to solve problems on this machine: the optimize package's own functions under one roof."""

from qrealm.optimize.formats.read import FORMATS, read_problem
from qrealm.optimize.pictures import check_picture
from qrealm.optimize.problems import Assignment, MaxCut, Problem, Qubo
from qrealm.optimize.result import OptimizeResult, Progress
from qrealm.optimize.solve import solve
from qrealm.optimize.solvers import AUTO, SOLVERS, refusal_of

__all__ = [
    "AUTO",
    "FORMATS",
    "SOLVERS",
    "Assignment",
    "MaxCut",
    "OptimizeResult",
    "Problem",
    "Progress",
    "Qubo",
    "check_picture",
    "read_problem",
    "refusal_of",
    "solve",
]
