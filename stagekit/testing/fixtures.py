"""Fixtures for pytest: ``pytest_plugins = ["stagekit.testing.fixtures"]`` in a conftest.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.testing.project import TemporaryProject


@pytest.fixture
def stagekit_project(tmp_path: Path) -> TemporaryProject:
    """A project with one image and the environments dev and prod, in a folder of the test's own."""
    return TemporaryProject.create(tmp_path / "project")
