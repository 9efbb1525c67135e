"""Fixtures of the plugin tests."""

from __future__ import annotations

import pytest

from tests.plugin.project import Project


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)
