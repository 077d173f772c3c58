"""What urls of engines and names of images look like: what can never work is told before anybody is asked."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from qrealm.base.errors import RequestError

URLS = "unix:///path/of/socket, tcp://host:port or ssh://user@host"
_WITH_HOST = ("tcp", "http", "https", "ssh")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
_REFERENCE_LENGTH_MAX = 512


def url_fault(url: str) -> str:
    """What is wrong with the url of an engine; empty when nothing is. An empty one is the driver's own."""
    if not url:
        return ""
    told = f"{url!r:.120} is no url of an engine"
    if not url.isprintable():
        return f"{told}: it has characters that cannot be printed"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as problem:
        return f"{told}: {problem}"
    if parts.scheme == "unix":
        return "" if not parts.netloc and len(parts.path) > 1 else f"{told}: a socket's path must be whole"
    if parts.scheme not in _WITH_HOST:
        return f"{told}: it must begin with unix://, tcp:// (http:// and https:// do too) or ssh://"
    # A dash would make it an option of ssh.
    if not host or host.startswith("-") or (parts.username or "").startswith("-"):
        return f"{told}: it names no host"
    if port is None and parts.scheme == "tcp":
        return f"{told}: it names no port"
    return ""


def check_url(url: str) -> None:
    """Raises RequestError for what is no url of an engine."""
    if fault := url_fault(url):
        raise RequestError(fault, hint=f"write {URLS}")


def reference_fault(image: str) -> str:
    """What is wrong with the name of an image; empty when nothing is. Engines look for it at a path made of
    it."""
    if len(image) <= _REFERENCE_LENGTH_MAX and _REFERENCE.fullmatch(image):
        return ""
    return (
        f"{image!r:.120} is no name of an image: it has small letters, digits, '.', '_' and '-' in parts "
        "between slashes, and may end with :TAG or @DIGEST"
    )


def check_reference(image: str) -> None:
    """Raises RequestError for what can be the name of no image."""
    if fault := reference_fault(image):
        raise RequestError(fault, hint="write it as in nginx:1.27 or registry.example.org:5000/team/web:2")
