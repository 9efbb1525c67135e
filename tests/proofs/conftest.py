"""Fixtures of the proofs: those of the unit tests that they need."""

from tests.unit.conftest import notes

__all__ = ["notes"]
