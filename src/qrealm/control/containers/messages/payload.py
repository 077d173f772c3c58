"""What a message may carry: a type, and a JSON value of limited size."""

from __future__ import annotations

import json
import re
from typing import Any

from qrealm.base.errors import MessageRefusalError

DATA_BYTES_MAX = 1 << 20
_TYPE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def checked_type(word: object) -> str:
    """`word`, once it is known to be a message type. Raises MessageRefusalError."""
    if not isinstance(word, str) or not _TYPE.fullmatch(word):
        raise MessageRefusalError(
            f"a message of type {word!r}; a type is 1 to 64 letters, digits, dots, dashes and underscores"
        )
    return word


def encoded(data: Any) -> bytes:
    """`data` as JSON in UTF-8.

    Raises:
        MessageRefusalError: it is no JSON value, JSON would change it (tuples, keys that are not text), or it
            has more than 1 MiB.
    """
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        raw = text.encode()
        same = json.loads(text) == data
    except (TypeError, ValueError, RecursionError) as problem:
        raise MessageRefusalError(
            f"the data of a message is no JSON value: {problem}",
            hint='JSON is null, true, false, numbers, "text", [lists] and {"keys": values}',
        ) from problem
    if not same:
        raise MessageRefusalError(
            "the data of a message would come out of JSON changed: tuples become lists, keys become text",
            hint="send lists and text keys",
        )
    if len(raw) > DATA_BYTES_MAX:
        raise MessageRefusalError(
            f"the data of a message has {len(raw):,} bytes as JSON; at most {DATA_BYTES_MAX:,} are possible",
            hint="send what is large over a volume, and where it lies in the message",
        )
    return raw
