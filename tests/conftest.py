"""Tools for the suite's own tests."""

import pytest


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Nested pytest runs are for these tests only: the list in the root's conftest.py is what a user's run needs."""
    pluginmanager.import_plugin("pytester")
