"""Asking again where nobody answered.

Knows: that a question may be asked twice and a command may not - unless nobody was there to hear it; a daemon that restarts says so with 503.
Refuses: to repeat a command that may have been heard, to go on for ever, and to be silent about the silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from cleanroom.errors import OutOfReach, OutOfTime
from cleanroom.guard import Guard, GuardedSession
from cleanroom.wait import Deadline, Waiting, wait_until

_QUESTIONS = {"GET", "HEAD"}
_ANSWER_SECONDS = 15.0
_COMMAND_SECONDS = 30.0
_NOT_NOW = 503


class PatientSession(GuardedSession):
    """Repeats questions for up to `patience` seconds (none until it is set: a first contact that fails should fail at once).

    A command is repeated only while no connection comes about: then nobody has heard it.

    `record` and `say` hear of each silence when it begins and when it ends.
    """

    def __init__(self, inner: requests.Session, guard: Guard, *, record: Callable[..., object], say: Callable[[str], object]) -> None:
        super().__init__(inner, guard, timeout=_COMMAND_SECONDS)
        self.patience = 0.0
        self._record, self._say = record, say

    def request(self, method: str | bytes, url: str | bytes, *arguments: Any, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own signature
        if not self.patience:
            return super().request(method, url, *arguments, **options)
        asks = str(method).upper() in _QUESTIONS
        if options.get("timeout") is None:
            options["timeout"] = _ANSWER_SECONDS if asks else _COMMAND_SECONDS
        spent, silent = Deadline(self.patience), False

        def answered() -> requests.Response | Waiting:
            nonlocal silent
            seen = self._try(lambda: GuardedSession.request(self, method, url, *arguments, **options), asks=asks)
            if isinstance(seen, Waiting) and not silent:
                silent = True
                self._record("hypervisor-silent", problem=seen.seen, patience=self.patience)
                self._say(f"the hypervisor does not answer ({seen.seen[:120]}); asking again for {self.patience:.0f} s")
            return seen

        try:
            response = wait_until(answered, what="the hypervisor to answer", within=self.patience, every=0.5)
        except OutOfTime as problem:
            raise OutOfReach(f"the hypervisor does not answer: {problem.problem}", where=str(url).partition("?")[0]) from None
        if silent:
            self._record("hypervisor-answers", seconds=round(spent.elapsed, 1))
            self._say(f"the hypervisor answers again after {spent.elapsed:.0f} s")
        return response

    @staticmethod
    def _try(ask: Callable[[], requests.Response], *, asks: bool) -> requests.Response | Waiting:
        try:
            response = ask()
        except requests.exceptions.SSLError:
            raise  # another certificate, or ours refused: asking again changes nothing
        except (requests.ConnectionError, requests.Timeout) as problem:
            if not asks and not _unheard(problem):
                raise
            return Waiting(str(problem))
        return Waiting("it is starting or stopping") if asks and response.status_code == _NOT_NOW else response


def _unheard(problem: requests.RequestException) -> bool:
    """Whether there was no connection over which anything could have been heard."""
    cause = problem.args[0] if problem.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError | ConnectTimeoutError)
