"""What is wrong with the endpoint of a node, by the part of it that is wrong; nobody is spoken to."""

from __future__ import annotations

from qrealm.base.errors import RequestError
from qrealm.fleet.containers import DRIVERS
from qrealm.fleet.containers.addresses import URLS, url_fault
from qrealm.fleet.containers.protocol import Endpoint
from qrealm.fleet.containers.simulated import capacity_of


def endpoint_faults(endpoint: Endpoint) -> dict[str, str]:
    """By "driver", "url", "member" and "tls"; empty when nothing is wrong. Whether files of certificates are
    there is not looked at, see `certificates.tls_faults`."""
    driver, url, member = endpoint.driver, endpoint.url, endpoint.member
    if driver not in DRIVERS:
        return {"driver": f"there is no driver {driver!r:.40}: {', '.join(DRIVERS)}"}
    files = (endpoint.tls_ca, endpoint.tls_cert, endpoint.tls_key)
    faults = {}
    if fault := _url_fault(driver, url):
        faults["url"] = fault
    if driver == "swarm" and not member:
        faults["member"] = "a node of the driver swarm is one member of the swarm, and none is named"
    if driver != "swarm" and member is not None:
        faults["member"] = f"only a node of the driver swarm has it; the driver is {driver!r}"
    if any(file is not None for file in files) and not url.startswith(("tcp://", "https://")):
        faults["tls"] = f"only a tcp:// url can have it; the url is {url!r:.80}"
    elif bool(endpoint.tls_cert) is not bool(endpoint.tls_key):
        faults["tls"] = "a cert needs a key, and a key a cert"
    return faults


def _url_fault(driver: str, url: str) -> str:
    if not DRIVERS[driver].simulated:
        return f"{fault}; write {URLS}" if (fault := url_fault(url)) else ""
    try:
        if url:
            capacity_of(url)
    except RequestError as problem:
        return f"{problem.message}; {problem.hint}"
    return ""
