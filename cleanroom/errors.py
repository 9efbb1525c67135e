"""The two ways a run can go wrong, kept apart for ever.

Knows: what a person needs to read when something failed.
Refuses: to let our own trouble pass for the site's, or the site's for ours.
"""

from __future__ import annotations


class CheckFailed(AssertionError):
    """The site is wrong: a scenario turns red, and the text is what its owner reads.

    `expected` and `seen` are whole sentences or values, `where` is a place a person can open (`docs/install.md:41`, a host, a unit), `advice` is the
    next thing to do. None of them may hold a secret: pass names, digests and places.
    """

    def __init__(self, expected: str, *, seen: str, where: str, advice: str = "") -> None:
        self.expected = expected
        self.seen = seen
        self.where = where
        self.advice = advice
        super().__init__(_block(expected=expected, seen=seen, where=where, next=advice))


class HarnessError(Exception):
    """We are wrong, or cannot tell: the verdict becomes INCOMPLETE, never FAILED and never PASSED."""

    def __init__(self, problem: str, *, where: str = "", advice: str = "") -> None:
        self.problem = problem
        self.where = where
        self.advice = advice
        super().__init__(_block(problem=problem, where=where, next=advice))


class BadInput(HarnessError):
    """Something a person gave us cannot be used: a site file, a key, a document. Raised before anything is created."""


class OutOfReach(HarnessError):
    """A host, a daemon or a repository did not answer."""


class NotOurs(HarnessError):
    """The guard refused: what was asked for would have touched something that this run did not make."""


class OutOfTime(HarnessError):
    """A wait met its deadline; the text carries what was seen last."""


def _block(**lines: str) -> str:
    """One block, always in the same order, empty lines left out."""
    return "\n".join(f"{name + ':':<10}{text}" for name, text in lines.items() if text)
