"""What faces call to run and measure on this machine: the simulate package's own functions under one roof."""

from qrealm.base.version import installed_version
from qrealm.control.hardware import BackendInfo, HardwareInfo, hardware
from qrealm.simulate.benchmark import BenchmarkRow, benchmark
from qrealm.simulate.estimate import estimate
from qrealm.simulate.pictures import check_picture, save_benchmark, save_histogram
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
    "check_picture",
    "estimate",
    "hardware",
    "installed_version",
    "run",
    "save_benchmark",
    "save_histogram",
]
