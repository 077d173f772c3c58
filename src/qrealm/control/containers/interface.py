"""The drivers' values that faces need to call the engine: under one roof, so that they import no driver."""

from qrealm.fleet.containers.protocol import Endpoint, ExecSpec, LogRequest, Output, PullProgress
from qrealm.fleet.containers.terminal import LiveExec, attach

__all__ = ["Endpoint", "ExecSpec", "LiveExec", "LogRequest", "Output", "PullProgress", "attach"]
