"""An image being fetched by an engine: what happens, step by step, until it ends or is given up."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from qrealm.base.errors import EngineRefusalError, ImageError, QrealmError
from qrealm.fleet.containers.connection import IMAGE_HINT, Connection, refusal
from qrealm.fleet.containers.protocol import PullProgress
from qrealm.fleet.containers.streams import socket_of

if TYPE_CHECKING:
    from docker import APIClient

_SILENCE_S = 1.0


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
        self._sock: socket.socket | None = None

    def steps(self) -> Iterator[PullProgress]:
        """Begin it; what happens until it ends. While nothing new comes, the last step again.

        Raises:
            ImageError: there is no such image, or its registry failed.
            EngineUnavailableError, EngineRefusalError: as every call.
        """
        threading.Thread(target=self._listen, name="pull", daemon=True).start()
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
        if self._sock is not None:
            with suppress(OSError):
                # Not SSLSocket's own, which no other thread may be reading from.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _listen(self) -> None:
        end: BaseException | None = None
        try:
            for step in self._told():
                self._found.put(step)
        except BaseException as error:  # noqa: BLE001 - raised where the steps are taken
            end = error
        self._found.put(end)

    def _told(self) -> Iterator[PullProgress]:
        with self._wire.calling(self._doing) as client:
            try:
                asked = self._ask(client)
            except QrealmError as refused:
                raise _of_image(refused) from refused
            with closing(asked) as response:
                # This connection serves no other call, so what hangs up here hangs up on nobody else.
                self._sock = socket_of(response)
                yield from self._read(response)

    def _read(self, response: Any) -> Iterator[PullProgress]:
        if self._given_up.is_set():
            return
        try:
            for line in response.iter_lines(chunk_size=None):
                step = self._step(line)
                if told := step.get("error"):
                    raise _of_image(refusal(f"{self._wire.name}: {self._doing}", None, str(told)))
                yield pull_progress(step)
        except Exception:
            # Nothing is wrong with the wire when it was this end that hung up.
            if not self._given_up.is_set():
                raise

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
        headers = {"Connection": "close"}
        if header := auth.get_config_header(client, registry):
            headers["X-Registry-Auth"] = header
        query = {"fromImage": repository, "tag": tag or "latest"}
        # No limit of time: an engine answers when its registry has.
        return self._wire.request(
            client, "POST", "/images/create", self._doing, params=query, headers=headers, timeout=None
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
