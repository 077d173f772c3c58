"""What faces call to run and measure on this machine: the simulate package's own functions under one roof."""

from qrealm.base.version import installed_version
from qrealm.control.hardware import BackendInfo, HardwareInfo, hardware
from qrealm.simulate.benchmark import BenchmarkRow, benchmark
from qrealm.simulate.estimate import estimate
from qrealm.simulate.pictures import check_picture, save_benchmark, save_histogram
from qrealm.simulate.plan.types import Considered, Estimate
from qrealm.simulate.request import ACCURACY_DEFAULT
from qrealm.simulate.results import Result
from qrealm.simulate.run import run
from qrealm.simulate.verify import QUBITS_DEFAULT as VERIFY_QUBITS_DEFAULT
from qrealm.simulate.verify import SHOTS_DEFAULT as VERIFY_SHOTS_DEFAULT
from qrealm.simulate.verify import VerifyReport, VerifyRow, verify

__all__ = [
    "ACCURACY_DEFAULT",
    "VERIFY_QUBITS_DEFAULT",
    "VERIFY_SHOTS_DEFAULT",
    "BackendInfo",
    "BenchmarkRow",
    "Considered",
    "Estimate",
    "HardwareInfo",
    "Result",
    "VerifyReport",
    "VerifyRow",
    "benchmark",
    "check_picture",
    "estimate",
    "hardware",
    "installed_version",
    "run",
    "save_benchmark",
    "save_histogram",
    "verify",
]
