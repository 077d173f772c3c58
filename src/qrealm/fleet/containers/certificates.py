"""Certificates of an endpoint that is reached through TLS: what is wrong with their files, before they are
used."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from qrealm.fleet.containers.protocol import Endpoint

KINDS = ("ca", "cert", "key")


def tls_faults(endpoint: Endpoint) -> Mapping[str, str]:
    """What is wrong with the files of certificates, by "ca", "cert" or "key"; empty when nothing is, or there
    are none."""
    paths = dict(zip(KINDS, (endpoint.tls_ca, endpoint.tls_cert, endpoint.tls_key), strict=True))
    faults = {kind: fault for kind, path in paths.items() if path and (fault := _fault_of_file(path))}
    certificate, key = paths["cert"], paths["key"]
    if bool(certificate) is not bool(key):
        given, left_out = ("cert", "key") if certificate else ("key", "cert")
        faults.setdefault(given, f"a {given} needs a {left_out}, and there is none")
    if faults:
        return faults
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if paths["ca"]:
        try:
            context.load_verify_locations(paths["ca"])
        except (ssl.SSLError, ValueError):
            faults["ca"] = f"{paths['ca']!r} holds no certificates as PEM"
    if certificate and key:
        try:
            # An empty answer: nobody is there to be asked for a password.
            context.load_cert_chain(certificate, key, password=lambda: b"")
        except (ssl.SSLError, ValueError):
            faults["cert"] = (
                f"{certificate!r} holds no certificate as PEM, or {key!r} is not its key, free of a password"
            )
    return faults


def _fault_of_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        return f"there is no file {path!r}"
    except OSError as problem:
        return f"{path!r} cannot be read: {problem.strerror}"
    return ""
