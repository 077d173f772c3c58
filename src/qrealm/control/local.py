"""What faces call to run and measure on this machine: the simulate package's own functions under one roof."""

from qrealm.base.version import installed_version
from qrealm.control.hardware import BackendInfo, HardwareInfo, hardware
from qrealm.simulate.benchmark import BenchmarkRow, benchmark
from qrealm.simulate.estimate import estimate
from qrealm.simulate.pictures import save_benchmark
from qrealm.simulate.plan.types import Estimate
from qrealm.simulate.results import Result
from qrealm.simulate.run import run

__all__ = [
    "BackendInfo",
    "BenchmarkRow",
    "Estimate",
    "HardwareInfo",
    "Result",
    "benchmark",
    "estimate",
    "hardware",
    "installed_version",
    "run",
    "save_benchmark",
]
