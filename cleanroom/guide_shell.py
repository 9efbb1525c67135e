"""One shell for one place of a guide: commands go in one by one, statuses and both streams come out, whatever happens to the connection.

Knows: how to keep a bash alive apart from the connection that started it (a command may restart sshd or the network in its middle), so that `cd` and
variables persist as they would for a person, and how to ask it for news.
Refuses: to put a secret variable into an argument list or a file (they arrive on standard input), and to wait without a limit.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from cleanroom.errors import HarnessError, OutOfReach, OutOfTime
from cleanroom.redact import Secret
from cleanroom.ssh import Result
from cleanroom.wait import Deadline, Waiting, wait_until

#: Seconds that one question for news may take before it is asked again.
_NEWS_SECONDS = 5
_HAND_OVER_SECONDS = 60.0

# Runs each N.command in this very shell, once, when the FIFO is rung; leaves N.out, N.err and, last, N.status.
# Given a pid, it ends when that process does.
_LOOP = r"""
__guide=$1 __watch=$2 __n=0
cd ~ 2>/dev/null || cd /
echo $$ > "$__guide/pid"
trap '__s=$?; [ "$__n" -gt 0 ] && { echo "$__s" > "$__guide/$__n.tmp"; mv "$__guide/$__n.tmp" "$__guide/$__n.status"; }; rm -f "$__guide/pid"' EXIT
exec 3<>"$__guide/in"
while :; do
  if [ ! -e "$__guide/$((__n + 1)).command" ]; then
    read -r -t 2 -u 3 __ring || :
    [ -z "$__watch" ] || kill -0 "$__watch" 2>/dev/null || exit 0
    continue
  fi
  __n=$((__n + 1))
  eval "$(cat "$__guide/$__n.command")" > "$__guide/$__n.out" 2> "$__guide/$__n.err" < /dev/null 3>&-
  echo $? > "$__guide/$__n.tmp"
  mv "$__guide/$__n.tmp" "$__guide/$__n.status"
done
"""

# Standard input brings the variables, a line each: NAME=BASE64. printf, read and export are builtins: no value meets an argument list.
_LAUNCH = r"""
set -e
mkdir -m 0700 "$1"
mkfifo -m 0600 "$1/in"
while IFS='=' read -r name value; do export "$name=$(printf %s "$value" | base64 -d)"; done
setsid bash ${4:+-l} -c "$3" guide-shell "$1" "$2" < /dev/null > /dev/null 2>&1 &
tries=600
until [ -e "$1/pid" ]; do tries=$((tries - 1)); [ $tries -gt 0 ] || { echo "the shell did not start" >&2; exit 1; }; sleep 0.05; done
"""

# Hands command $2, on standard input, to the shell, if that still lives. May be done twice: a command whose number was run is not run again.
_TELL = r"""
cd "$1" 2>/dev/null || exit 3
[ -e "$2.status" ] && exit 0
kill -0 "$(cat pid 2>/dev/null)" 2>/dev/null || exit 3
cat > "$2.new" && mv "$2.new" "$2.command" && echo 1<> in
"""
_GONE = 3

# Waits a little for the status of command $2, then tells it (or `running`, or `dead`) on the first line, and what is new of both streams.
_NEWS = r"""
cd "$1" 2>/dev/null || { echo dead; exit 0; }
tries=$(($5 * 20)) word=running
while [ ! -e "$2.status" ] && [ $tries -gt 0 ]; do
  shell=$(cat pid 2>/dev/null) && ! kill -0 "$shell" 2>/dev/null && [ ! -e "$2.status" ] && { word=dead; break; }
  tries=$((tries - 1))
  sleep 0.05
done
if [ -e "$2.status" ]; then cat "$2.status"; else echo "$word"; fi
tail -c "+$(($3 + 1))" "$2.out" 2>/dev/null || :
tail -c "+$(($4 + 1))" "$2.err" >&2 2>/dev/null || :
"""

_END = r"""
[ -e "$1/pid" ] && kill -KILL -- "-$(cat "$1/pid")" 2>/dev/null
rm -rf -- "$1"
"""


class Place(Protocol):
    """Where a guide shell lives: something that executes a command and never judges."""

    @property
    def where(self) -> str: ...

    def execute(self, command: str | Sequence[str], *, stdin: bytes = b"", within: float) -> Result: ...


@dataclass(frozen=True)
class Answer:
    """What became of one command: `status` is None if it met its limit or its shell disappeared (`fate` says which)."""

    status: int | None
    fate: str
    stdout: bytes
    stderr: bytes
    seconds: float


class GuideShell:
    """A shell in `folder` at `place`. Use as a context manager: leaving it ends the shell and removes the folder.

    A `login` shell reads the profile, as a visitor's would; the operator's does not, for a profile may put its own programs before ours.
    """

    def __init__(self, place: Place, folder: str, *, variables: Mapping[str, str | Secret], login: bool, watch: int | None = None) -> None:
        self.place = place
        self.folder = folder
        self._variables = variables
        self._watch = str(watch or "")
        self._login = ["login"] if login else []
        self._number = 0

    def __enter__(self) -> Self:
        lines = [f"{name}={base64.b64encode(_bytes(value)).decode()}\n" for name, value in self._variables.items()]
        argv = ["bash", "-c", _LAUNCH, "guide", self.folder, self._watch, _LOOP, *self._login]
        result = self.place.execute(argv, stdin="".join(lines).encode(), within=45.0)
        if not result.ok:
            raise HarnessError(f"cannot start a shell for the guide: {result.complaint}", where=self.place.where)
        return self

    def run(self, command: str, *, within: float, alive: Callable[[float, str], None] | None = None) -> Answer:
        """Run one command to its end or its limit (seconds). `alive(elapsed, last line)` is called while it runs."""
        self._number += 1
        deadline = Deadline(within)
        if not self._hand_over(command):
            return Answer(status=None, fate="dead", stdout=b"", stderr=b"", seconds=deadline.elapsed)
        out, err = bytearray(), bytearray()

        def news() -> str | Waiting:
            wanted = max(1, min(_NEWS_SECONDS, int(deadline.left)))
            argv = ["bash", "-c", _NEWS, "guide", self.folder, str(self._number), str(len(out)), str(len(err)), str(wanted)]
            try:
                result = self.place.execute(argv, within=wanted + 15.0)
            except (OutOfReach, OutOfTime) as problem:
                if deadline.passed:
                    return "unreachable"
                return Waiting(problem.problem)
            head, _, rest = result.stdout.partition(b"\n")
            out.extend(rest)
            err.extend(result.stderr)
            word = head.decode().strip()
            if word == "running":
                return "limit" if deadline.passed else Waiting(_last_line(err or out))
            return word or Waiting("no answer")

        # The margin lets the limit be met by the command, not by the wait around it.
        fate = wait_until(news, what=f"`{command[:60]}` to end", within=within + 30.0, every=0.1, where=self.place.where, alive=alive)
        status = int(fate) if fate.lstrip("-").isdigit() else None
        return Answer(status=status, fate=fate, stdout=bytes(out), stderr=bytes(err), seconds=deadline.elapsed)

    def _hand_over(self, command: str) -> bool:
        """Give the shell its next command, again if the connection breaks over it; False if there is no shell any more."""

        def handed() -> Result | Waiting:
            try:
                argv = ["bash", "-c", _TELL, "guide", self.folder, str(self._number)]
                return self.place.execute(argv, stdin=command.encode(), within=_HAND_OVER_SECONDS)
            except (OutOfReach, OutOfTime) as problem:
                return Waiting(problem.problem)

        sent = wait_until(handed, what="the guide's shell to take a command", within=_HAND_OVER_SECONDS, where=self.place.where)
        if not sent.ok and sent.status != _GONE:
            raise HarnessError(f"the shell of the guide does not take commands: {sent.complaint}", where=self.place.where)
        return sent.ok

    def __exit__(self, *_: object) -> None:
        try:
            self.place.execute(["bash", "-c", _END, "guide", self.folder], within=30.0)
        except HarnessError:
            # The machine may be gone or broken, which its own checks will say; there is nothing of ours left to end then.
            return


class ThisSide:
    """The operator's side: the machine that runs the suite, with a path in front that holds our `ssh` and `scp`."""

    where = "the operator's side"

    def __init__(self, *, path: Path, home: Path) -> None:
        self._environment = {**os.environ, "PATH": f"{path}:{os.environ.get('PATH', os.defpath)}", "HOME": str(home)}

    def execute(self, command: str | Sequence[str], *, stdin: bytes = b"", within: float) -> Result:
        """Run a program here, in a process group of its own that is ended with it when it meets its limit."""
        argv = ["bash", "-c", command] if isinstance(command, str) else list(command)
        clock = Deadline(within)
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self._environment, start_new_session=True
        ) as process:
            try:
                out, err = process.communicate(stdin, timeout=within)
            except BaseException as problem:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(problem, subprocess.TimeoutExpired):
                    raise HarnessError(f"`{argv[0]}` still ran after {within:.0f} s", where=self.where) from None
                raise
        return Result(" ".join(argv[:1]), process.returncode, out, err, clock.elapsed, self.where)


def _bytes(value: str | Secret) -> bytes:
    return value.reveal() if isinstance(value, Secret) else value.encode()


def _last_line(data: bytes | bytearray) -> str:
    lines = bytes(data[-2000:]).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output yet"
