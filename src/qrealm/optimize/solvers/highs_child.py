"""The process in which HiGHS works for `exact`: models come in, answers go out, as length-prefixed pickles.

It is started by its path, so that it loads scipy alone.
"""

from __future__ import annotations

import ctypes
import pickle
import signal
import struct
import sys
import time
from typing import Any

# HiGHS looks at its clock now and then, and the answer has its way to go.
TIME_SHARE = 0.95
PR_SET_PDEATHSIG = 1


def solve(request: dict[str, Any]) -> dict[str, Any]:
    """One model. Status: 0 optimal, 1 a limit was met, 2 infeasible, 3 unbounded, 4 other."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    shape = (len(request["row_low"]), len(request["cost"]))
    matrix = csr_array((request["coefficients"], request["columns"], request["starts"]), shape=shape)
    options: dict[str, Any] = {"mip_rel_gap": 0.0}
    if np.isfinite(request["end"]):
        # The clock of both processes: starting this one and sending the model are in the time.
        options["time_limit"] = max(0.01, TIME_SHARE * (float(request["end"]) - time.monotonic()))
    found = milp(
        request["cost"],
        integrality=request["whole"].astype(int),
        bounds=Bounds(request["low"], request["high"]),
        constraints=[LinearConstraint(matrix, request["row_low"], request["row_high"])] if shape[0] else [],
        options=options,
    )
    bound = getattr(found, "mip_dual_bound", None)
    return {"status": int(found.status), "values": found.x, "bound": bound, "message": found.message}


def _end_with_parent() -> None:
    """On Linux: whoever kills the caller ends this process too, which hears of nothing while HiGHS works."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Answer until the other side closes."""
    _end_with_parent()
    # Loaded while the first model is built.
    import scipy.optimize
    import scipy.sparse  # noqa: F401

    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(8)) == 8:
        reply = pickle.dumps(solve(pickle.loads(source.read(struct.unpack("<Q", head)[0]))))
        sink.write(struct.pack("<Q", len(reply)) + reply)
        sink.flush()


if __name__ == "__main__":
    main()
