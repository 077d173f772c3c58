"""Configuration, cluster and Compose files: read and checked whole; what is wrong is told by line and key."""

from qrealm.control.containers.files.cluster import load_cluster
from qrealm.control.containers.files.config import load_config
from qrealm.control.containers.files.values import (
    ClusterContainer,
    ClusterFile,
    Config,
    Entanglement,
    NodeEntry,
)

__all__ = [
    "ClusterContainer",
    "ClusterFile",
    "Config",
    "Entanglement",
    "NodeEntry",
    "load_cluster",
    "load_config",
]
