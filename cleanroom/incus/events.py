"""The line on which Incus tells of its life-cycle events.

Knows: one websocket (RFC 6455, by ws4py), behind the same pin as every request.
Refuses: to interpret what it hears.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pylxd.client
from ws4py.client.threadedclient import WebSocketClient
from ws4py.exc import HandshakeError

from cleanroom.errors import OutOfReach
from cleanroom.incus.door import Credential, secured

_CONNECT_SECONDS = 10.0


def listen(
    client: Any,  # noqa: ANN401 - pylxd is untyped
    *,
    scope: str,
    where: str,
    credential: Credential | None,
    heard: Callable[[dict[str, Any]], None],
    closed: Callable[[int, str | None], None],
) -> Any:  # noqa: ANN401 - ws4py is untyped
    """Listen to life-cycle events, in a thread; `heard` and `closed` are called there. `scope` is a query: `project=NAME`, or `all-projects=true`.

    Raises `OutOfReach` if nobody answers, or another than the pinned server does.
    """
    line = client.events(websocket_client=partial(_Line, credential, heard, closed), event_types={pylxd.client.EventType.Lifecycle})
    line.resource += f"&{scope}"
    line.daemon = True
    try:
        line.connect()
    except (OSError, HandshakeError) as problem:
        line.close_connection()
        raise OutOfReach(f"the hypervisor's events cannot be listened to: {problem}", where=where) from None
    return line


class _Line(WebSocketClient):  # type: ignore[misc]
    """The client's half."""

    sock: Any

    def __init__(
        self,
        credential: Credential | None,
        heard: Callable[[dict[str, Any]], None],
        ended: Callable[[int, str | None], None],
        *arguments: Any,  # noqa: ANN401 - ws4py's own signature
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*arguments, exclude_headers=["origin"], **options)
        self._credential, self._heard, self._ended = credential, heard, ended

    def connect(self) -> None:
        # ws4py's own TLS would check the server's name, which the pinned certificate need not have.
        self.sock.settimeout(_CONNECT_SECONDS)
        if self._credential is not None:
            self.sock, self.scheme, self._is_secure = secured(self.sock, self._credential), "ws", True
        super().connect()

    def close_connection(self) -> None:
        # ws4py forgets a socket that it cannot shut down, without closing it.
        sock = self.sock
        super().close_connection()
        if sock is not None:
            sock.close()

    def received_message(self, message: Any) -> None:  # noqa: ANN401 - ws4py is untyped
        self._heard(json.loads(message.data))

    def closed(self, code: int, reason: str | None = None) -> None:
        self._ended(code, reason)
