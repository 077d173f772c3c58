"""An image being fetched by an engine: what happens, step by step, until it ends or is given up."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, ImageError, QrealmError
from qrealm.fleet.containers.connection import IMAGE_HINT, Connection, refusal
from qrealm.fleet.containers.protocol import PullProgress
from qrealm.fleet.containers.streams import closed_on_error, socket_of

if TYPE_CHECKING:
    from docker import APIClient

_SILENCE_S = 1.0
_END_S = 2.0
"""How long who gives a pull up waits for the thread that listens, which then ends at once."""


class Pull:
    """One pull. Its engine is listened to in a thread, so that who takes the steps is in no wait that nothing
    ends: registries may hang for as long as they like.

    Args:
        wire: to the engine.
        image: its name, with a tag or digest; without either the tag is ``latest``.
        silence_s: for how long nothing may come before the last step is told again.
    """

    def __init__(self, wire: Connection, image: str, silence_s: float = _SILENCE_S) -> None:
        self._wire = wire
        self._image = image
        self._doing = f"pull {image!r}"
        self._silence_s = silence_s
        self._found: queue.SimpleQueue[PullProgress | BaseException | None] = queue.SimpleQueue()
        self._given_up = threading.Event()
        self._broken_off = False
        self._sock: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen, name="pull", daemon=True)

    def steps(self) -> Iterator[PullProgress]:
        """Begin it; what happens until it ends. While nothing new comes, the last step again.

        Raises:
            ImageError: there is no such image, or its registry failed.
            EngineUnavailableError, EngineRefusalError: as every call.
        """
        self._thread.start()
        last = PullProgress("", f"Asking for {self._image}")
        while True:
            with suppress(queue.Empty):
                found = self._found.get(timeout=self._silence_s)
                if found is None:
                    return
                if isinstance(found, BaseException):
                    raise found
                last = found
            yield last

    def close(self) -> None:
        """Give it up, unless it has ended: an engine fetches nothing for a caller who hangs up."""
        self._given_up.set()
        self._hang_up()
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def break_off(self) -> None:
        """End it, for who takes the steps with EngineUnavailableError."""
        self._broken_off = True
        self._hang_up()

    def _hang_up(self) -> None:
        # Its connection serves no other call, so what hangs up here hangs up on nobody else.
        if self._sock is not None:
            with suppress(OSError):
                # Not SSLSocket's own, which no other thread may be reading from.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _connected(self, sock: Any) -> None:
        """An engine answers when its registry has, which may be never: so the socket must be known before."""
        self._sock = sock
        if self._given_up.is_set() or self._broken_off:
            self._hang_up()

    def _listen(self) -> None:
        end: BaseException | None = None
        try:
            for step in self._told():
                self._found.put(step)
        except BaseException as error:  # noqa: BLE001 - raised where the steps are taken
            end = error
        self._found.put(end)

    def _told(self) -> Iterator[PullProgress]:
        with self._wire.alone(self._doing, self, self._connected) as client:
            try:
                with closing(self._asked(client)) as response:
                    yield from self._read(response)
            except Exception:
                # Nothing is wrong with the wire when it was this end that hung up.
                if self._given_up.is_set():
                    return
                if self._broken_off:
                    raise EngineUnavailableError(
                        f"{self._wire.name}: {self._doing}: the connection was given up"
                    ) from None
                raise

    def _asked(self, client: APIClient) -> Any:
        try:
            response = self._ask(client)
        except QrealmError as refused:
            raise _of_image(refused) from refused
        with closed_on_error(response):
            self._connected(socket_of(response))  # through a proxy it is known only now
        return response

    def _read(self, response: Any) -> Iterator[PullProgress]:
        for line in response.iter_lines(chunk_size=None):
            if not line.strip():
                continue  # a chunk that ended between the two bytes of a line's end
            step = self._step(line)
            if told := step.get("error"):
                raise _of_image(refusal(f"{self._wire.name}: {self._doing}", None, str(told)))
            yield pull_progress(step)

    def _step(self, line: bytes) -> dict[str, Any]:
        try:
            step = json.loads(line)
        except ValueError:
            step = None
        if not isinstance(step, dict):
            raise EngineRefusalError(
                f"{self._wire.name}: {self._doing}: the engine told {line!r:.80}, which is no step of a pull",
                hint="check that an engine listens there, and not another program",
            )
        return step

    def _ask(self, client: APIClient) -> Any:
        from docker import auth, errors, utils

        repository, tag = utils.parse_repository_tag(self._image)
        try:
            registry, _ = auth.resolve_repository_name(repository)
        except errors.InvalidRepository as wrong:
            raise ImageError(f"{self._wire.name}: {self._doing}: {wrong}", hint=IMAGE_HINT) from wrong
        headers = {}
        if header := auth.get_config_header(client, registry):
            headers["X-Registry-Auth"] = header
        query = {"fromImage": repository, "tag": tag or "latest"}
        # Once it is connected no limit of time: an engine answers when its registry has.
        limits = (self._wire.timeout_s, None)
        return self._wire.request(
            client, "POST", "/images/create", self._doing, params=query, headers=headers, timeout=limits
        )


def pull_progress(step: Mapping[str, Any]) -> PullProgress:
    """A step in an engine's words."""
    detail = step.get("progressDetail")
    far = [detail.get(name) for name in ("current", "total")] if isinstance(detail, dict) else [None, None]
    done, total = (each if isinstance(each, int) else None for each in far)
    return PullProgress(str(step.get("id", "")), str(step.get("status", "")), done, total)


def _of_image(refused: QrealmError) -> QrealmError:
    """An engine's no to a pull: about the image, unless it is one that says what to do."""
    if type(refused) is EngineRefusalError and refused.hint:  # a full disk
        return refused
    # A registry that does not answer has many words for it.
    return ImageError(refused.message, hint=IMAGE_HINT)
