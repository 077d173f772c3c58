"""The wire to an engine that speaks Docker's HTTP interface: made on first use, its faults in our words."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from qrealm.base.errors import (
    CommandNotFoundError,
    CommandNotRunnableError,
    EngineRefusalError,
    EngineUnavailableError,
    ImageError,
    MissingExtraError,
    NameTakenError,
    NoSuchContainerError,
    QrealmError,
)
from qrealm.fleet.containers.certificates import tls_faults
from qrealm.fleet.containers.protocol import Endpoint, Output
from qrealm.fleet.containers.ssh_tunnel import SshTunnel
from qrealm.fleet.containers.streams import (
    FRAME_HEADER,
    READ_BYTES_MAX,
    STDERR,
    Breakable,
    OutputStream,
    Use,
    buffered,
    closed_on_error,
    move,
    send_end,
    socket_of,
    whole_frames,
)

if TYPE_CHECKING:
    from docker import APIClient
    from docker.tls import TLSConfig

T = TypeVar("T")
_FROM_OPENSSL = re.compile(r"^\[[A-Z0-9_]+: [A-Z0-9_]+\] | \(_ssl\.c:\d+\)$")

# What engines say, in the order in which it is looked for: Docker 20 to 29 and Podman 4 and 5.
_NO_SPACE = ("no space left on device", "disk quota exceeded")
_IMAGE = (
    "no such image",
    "image not known",
    "manifest unknown",
    "manifest for ",
    "pull access denied",
    "repository does not exist",
    "invalid reference format",
    "failed to resolve reference",
    "must be lowercase",
    "unable to find image",
    "short-name resolution",
)
_NAME = re.compile(r"name .*(already in use|conflicts with an existing object)", re.DOTALL)
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)+")
_NO_CONTAINER = ("no such container", "no container with name or id", "no such service", "such exec instance")
_NO_SERVICE = re.compile(r"\bservice \S+ not found")
_STARTING = ("oci runtime", "starting container", "start container process", "exec:", "exec format error")
_NOT_RUNNABLE = ("permission denied", "is a directory", "exec format error", "operation not permitted")
_NOT_FOUND = ("executable file not found", "no such file or directory", "executable file `")


def refusal(doing: str, status: int | None, words: str) -> QrealmError:
    """What an engine's no means.

    Args:
        doing: what was asked and of whom, such as ``"Docker at unix:///x: create web"``.
        status: of the HTTP answer; None where the no came inside a stream.
        words: the engine's own.
    """
    told = " ".join(words.split())
    low = told.lower()
    message = f"{doing}: {told or f'the engine answered with status {status}'}"
    if any(part in low for part in _NO_SPACE):
        return EngineRefusalError(message, hint="free space on the engine's disk: docker system prune")
    if status in (409, 500, None) and _NAME.search(low):
        return NameTakenError(message, hint="choose another name, or remove the container that has it")
    if any(part in low for part in _IMAGE):
        return ImageError(message, hint=IMAGE_HINT)
    if any(part in low for part in _NO_CONTAINER) or _NO_SERVICE.search(low):
        return NoSuchContainerError(message)
    if any(part in low for part in _STARTING) and "mount" not in low:
        if any(part in low for part in _NOT_FOUND):
            return CommandNotFoundError(message, hint="name a command that is in the image")
        if any(part in low for part in _NOT_RUNNABLE):
            return CommandNotRunnableError(message, hint="it must be executable for the container's user")
    if "port is already allocated" in low or "address already in use" in low:
        return EngineRefusalError(message, hint="choose another host port, or none to let the engine choose")
    return EngineRefusalError(message)


IMAGE_HINT = (
    "check the reference; on an engine that reaches no registry, bring the image with `docker load` or "
    "`docker import`"
)


class _Line:
    """A client, and the tunnel that it goes through; `users` is how many calls and streams are under way."""

    def __init__(self, client: APIClient, tunnel: SshTunnel | None = None) -> None:
        self.client = client
        self.tunnel = tunnel
        self.users = 0

    def close(self) -> None:
        self.client.close()
        if self.tunnel is not None:
            self.tunnel.close()


class Connection:
    """Calls to one engine. Safe to use from several threads.

    Args:
        endpoint: where it is; an empty url is not allowed here.
        timeout_s: how long to wait for a connection, and for an answer.
        engine: its kind, for messages.
        extra_hint: how to start such an engine.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float, *, engine: str, extra_hint: str) -> None:
        try:
            import docker.errors
        except ImportError as missing:
            raise MissingExtraError(f"the driver for {engine}", package="docker", extra="docker") from missing
        self.name = f"{engine} at {endpoint.url}"
        self.timeout_s = timeout_s
        self._endpoint = endpoint
        self._hint = extra_hint
        self._connecting = threading.Lock()  # taken before the other, and held for as long as it takes
        self._lock = threading.Lock()  # of what follows; held for moments
        self._line: _Line | None = None
        self._lines: set[_Line] = set()
        self._leaving: deque[_Line] = deque()  # a line for each user who has left it and is still counted
        self._closed = False
        self._streams: weakref.WeakSet[Breakable] = weakref.WeakSet()
        requests = docker.errors.requests  # what the SDK's own calls run on, and may raise
        self.api_error = docker.errors.APIError
        self._broken = (
            OSError,
            http.client.HTTPException,
            requests.exceptions.RequestException,
            requests.exceptions.BaseHTTPError,
            docker.errors.DockerException,
        )

    @contextmanager
    def calling(self, doing: str) -> Iterator[APIClient]:
        """The SDK's client, for one call; what it raises comes out as an error of qrealm."""
        with self._on_line(doing) as line:
            yield line.client

    @contextmanager
    def alone(self, doing: str, caller: Breakable, noted: Callable[[Any], None]) -> Iterator[APIClient]:
        """The same with a client of its own, which serves no other call.

        Args:
            caller: broken off when this connection is closed.
            noted: told each socket once it is connected, before anything is sent there.
        """
        with self._on_line(doing) as line:
            with self._noting():
                self._streams.add(caller)
            if self._closed:
                caller.break_off()
            url = self._endpoint.url if line.tunnel is None else line.tunnel.url
            tls = False if line.tunnel is not None else self._tls()
            with self._client_of(url, tls, line.client.api_version, noted) as client:
                client.auth = self._check_open
                yield client

    @contextmanager
    def _on_line(self, doing: str) -> Iterator[_Line]:
        line = None
        try:
            line = self._taken()
            if line is None:
                line = self._newly_taken()
            else:
                self._knock_at(line)
            yield line
        except self.api_error as error:
            words = str(error.explanation or error)
            raise refusal(f"{self.name}: {doing}", error.status_code, words) from error
        except self._broken as error:
            self._retire(line)
            raise self._unavailable(doing, error) from error
        finally:
            if line is not None:
                self._leave(line)

    def frames(self, response: Any, doing: str) -> OutputStream:
        """What a stream of an engine's answer holds, stdout and stderr told apart."""
        with closed_on_error(response):
            sock = socket_of(response)
            sock.settimeout(None)  # it may be quiet for days
            return self._stream(response, sock, self._frames(response, doing), doing)

    def exchange(self, response: Any, data: bytes, doing: str) -> OutputStream:
        """The same of an answer whose body ends with its connection, while `data` is sent there.

        One thread reads and writes: two may not share a TLS connection.
        """
        with closed_on_error(response):
            sock = socket_of(response)
            sock.setblocking(False)
            return self._stream(response, sock, self._exchange(response, sock, data, doing), doing)

    def _stream(self, response: Any, sock: Any, pieces: Generator[Output], doing: str) -> OutputStream:
        ended = partial(self._end, response.use)
        stream = OutputStream(response, sock, pieces, f"{self.name}: {doing}", ended)
        with self._noting():
            self._streams.add(stream)
        if self._closed:  # while the engine answered: who closed did not know of it
            stream.break_off()
        return stream

    def _frames(self, response: Any, doing: str) -> Generator[Output]:
        try:
            while len(header := response.raw.read(FRAME_HEADER.size)) == FRAME_HEADER.size:
                kind, left = FRAME_HEADER.unpack(header)
                while left and (data := response.raw.read(min(left, READ_BYTES_MAX))):
                    left -= len(data)
                    yield Output("stderr" if kind == STDERR else "stdout", data)
        except self._broken as error:
            raise self._unavailable(doing, error) from error
        finally:
            response.close()

    def _exchange(self, response: Any, sock: Any, data: bytes, doing: str) -> Generator[Output]:
        left = memoryview(data)
        try:
            arrived = bytearray(buffered(response))
            send_end(sock, left)
            while True:
                yield from whole_frames(arrived)
                got, left = move(sock, left)
                if got == b"":
                    return
                if got is not None:
                    arrived += got
        except self._broken as error:
            raise self._unavailable(doing, error) from error
        finally:
            response.close()

    def request(self, client: APIClient, method: str, path: str, doing: str, **options: Any) -> Any:
        """A call for which the SDK has no method, its answer not yet read; a no is raised.

        Its line stays while the answer is there, also when the call has ended: a stream is made of it.
        """
        url = f"{client.base_url}/v{client.api_version}{path}"
        # Who reads it may hang up on the engine; the connection must serve no other call by then.
        headers = {"Connection": "close", **options.pop("headers", {})}
        options = {"timeout": self.timeout_s, **options}
        response = client.request(method, url, stream=True, headers=headers, **options)
        if response.status_code >= 400:
            with closing(response):
                try:
                    words = response.json().get("message", "")
                except (ValueError, AttributeError):  # no JSON, or no object
                    words = response.text
            raise refusal(f"{self.name}: {doing}", response.status_code, str(words))
        response.use = self._use_of(client)
        return response

    def close(self) -> None:
        """Give up all connections, for good. Whoever still reads output, or calls, is told
        EngineUnavailableError."""
        self._closed = True  # first: who connects then ends what it makes
        with self._noting():
            streams = list(self._streams)
        for stream in streams:
            stream.break_off()
        with self._noting():
            self._line, lines = None, list(self._lines)
            self._lines.clear()
        for line in lines:
            line.close()
        with self._connecting:
            pass  # whoever connected has ended it

    def _taken(self) -> _Line | None:
        """The line for a call, which must leave it; None when there is none yet."""
        with self._noting():
            self._check_open()
            if self._line is not None:
                self._line.users += 1
            return self._line

    def _newly_taken(self) -> _Line:
        """The same, made by the first of those who need it at once."""
        with self._connecting:
            if (line := self._taken()) is not None:
                return line
            made = self._connect()
            try:
                with self._noting():
                    self._check_open()
                    self._line = made
                    self._lines.add(made)
                    made.users += 1
            except BaseException:
                made.close()
                raise
            return made

    def _knock_at(self, line: _Line) -> None:
        """OSError when nobody answers: the SDK's words for that are long."""
        url = self._endpoint.url if line.tunnel is None else line.tunnel.url
        if url.startswith("unix://"):
            knock(url, self.timeout_s)

    def _use_of(self, client: APIClient) -> Use | None:
        """A use of the line that has the client; None when it has one of its own."""
        with self._noting():
            for line in self._lines:
                if line.client is client:
                    line.users += 1
                    return Use(line, self._leaving)
        return None

    def _retire(self, line: _Line | None) -> None:
        """Have the next call connect anew, as the engine may come back. Who calls or reads meanwhile goes on
        with the line that broke for one call only: the last one who leaves it closes it."""
        with self._noting():
            if line is self._line:
                self._line = None

    def _leave(self, line: _Line) -> None:
        self._leaving.append(line)
        self._let_go()

    def _end(self, use: Use | None) -> None:
        if use is not None:
            use.end()
            self._let_go()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Alone with who uses which line."""
        try:
            with self._lock:
                yield
        finally:
            self._let_go()  # who left meanwhile found the lock taken

    def _let_go(self) -> None:
        """Close the lines that broke and that everybody has left. This waits for no lock: a signal's handler
        may end a stream, and who holds the lock comes here afterwards."""
        while self._leaving and self._lock.acquire(blocking=False):
            done = []
            try:
                while self._leaving:
                    line = self._leaving.popleft()
                    line.users -= 1
                    if not line.users and line is not self._line and line in self._lines:
                        self._lines.discard(line)
                        done.append(line)
            finally:
                self._lock.release()
            for line in done:
                line.close()

    def _check_open(self, request: T | None = None) -> T | None:
        """Nothing, or the request that may be sent."""
        if self._closed:
            raise EngineUnavailableError(
                f"{self.name}: broken off, the connection is closed", hint="qdocker nodes ls shows the nodes"
            )
        return request

    def _connect(self) -> _Line:
        where = self._endpoint
        if where.url.startswith("unix://"):
            knock(where.url, self.timeout_s)
        if where.url.startswith("ssh://"):
            tunnel = SshTunnel(where.url, timeout_s=self.timeout_s)
            try:
                knock(tunnel.url, self.timeout_s)
                client = self._told_version(tunnel.url, False)
            except BaseException:
                tunnel.close()
                raise
        else:
            tunnel, client = None, self._told_version(where.url, self._tls())
        # Asked before each request: one call may make several, and wait long for the first.
        client.auth = self._check_open
        return _Line(client, tunnel)

    def _tls(self) -> TLSConfig | bool:
        from docker.tls import TLSConfig

        where = self._endpoint
        if where.tls_ca or where.tls_cert or where.tls_key:
            self._check_certificates()
            pair = (where.tls_cert, where.tls_key) if where.tls_cert and where.tls_key else None
            return TLSConfig(client_cert=pair, ca_cert=where.tls_ca, verify=True if where.tls_ca else None)
        return False

    def _told_version(self, url: str, tls: TLSConfig | bool) -> APIClient:
        """A client that speaks the version that the engine tells."""
        from docker.constants import DEFAULT_DOCKER_API_VERSION

        # Not the SDK's own question, which it asks while it is made and cannot be told anything yet.
        with self._client_of(url, tls, DEFAULT_DOCKER_API_VERSION) as asking:
            told = asking.version(api_version=False)
        version = told.get("ApiVersion") if isinstance(told, dict) else None
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise EngineUnavailableError(
                f"{self.name}: ask for its version: what answers tells no version of Docker's interface",
                hint="check that an engine listens there, and not another program",
            )
        return self._client_of(url, tls, version)

    def _client_of(
        self, url: str, tls: TLSConfig | bool, version: str, noted: Callable[[Any], None] | None = None
    ) -> APIClient:
        import docker

        from qrealm.fleet.containers.unix_adapter import TcpAdapter, UnixAdapter

        client = docker.APIClient(base_url=url, timeout=self.timeout_s, tls=tls, version=version)
        if url.startswith("unix://"):
            client.mount("http+docker://", UnixAdapter(f"http+{url}", self.timeout_s, noted))
        elif noted is not None:
            for scheme in ("http://", "https://"):
                client.mount(scheme, TcpAdapter(noted))
        # requests would take REQUESTS_CA_BUNDLE from the environment in place of the endpoint's authority.
        client.trust_env = not tls
        return client

    def _check_certificates(self) -> None:
        """Before the SDK sees them, whose words about them name neither the file nor the option."""
        if faults := tls_faults(self._endpoint):
            raise EngineUnavailableError(
                f"{self.name}: " + "; ".join(f"tls {kind}: {fault}" for kind, fault in faults.items()),
                hint="bring the files there or name others: --tls-ca, --tls-cert and --tls-key of nodes add, "
                "or tls in the configuration",
            )

    def _unavailable(self, doing: str, error: BaseException) -> EngineUnavailableError:
        told = str(error)
        hint = self._hint
        where = urlsplit(self._endpoint.url)
        if "Permission denied" in told:
            hint = "run as a user who may use the engine's socket: root, or a member of the group `docker`"
        elif self._endpoint.url.startswith("ssh://"):
            hint = "check that `ssh` reaches the host without a password, and that the engine runs there"
        elif "certificate" in told.lower() or "SSL" in told:
            hint = "check the certificates: tls ca, cert and key of the node"
        elif "timed out" in told.lower():
            hint = f"it did not answer within {self.timeout_s:g} s; is its host busy or out of reach?"
        elif where.scheme == "tcp":
            hint = (
                f"check on {where.hostname} that the engine runs and listens at {where.netloc}, and that "
                "nothing between keeps it from here"
            )
        return EngineUnavailableError(
            f"{self.name}: {doing}: the engine does not answer: {cause_of(error)}", hint=hint
        )


def cause_of(error: BaseException) -> str:
    """What is at the bottom of an error, in its own words: libraries tell it in what they write around it."""
    # Not by __context__, which may be an error that was being dealt with when the call was made.
    while inner := error.__cause__ or _wrapped(error):
        error = inner
    words = str(getattr(error, "verify_message", "") or getattr(error, "strerror", None) or error)
    return _FROM_OPENSSL.sub("", words) or type(error).__name__


def _wrapped(error: BaseException) -> BaseException | None:
    """The error that another was made of, by which libraries hand it on."""
    told = (getattr(error, "reason", None), *error.args)
    return next((each for each in told if isinstance(each, BaseException)), None)


def knock(url: str, timeout_s: float) -> None:
    """Connect to a ``unix://`` url and hang up; OSError when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        sock.connect(urlsplit(url).path)
