"""For those who write plugins: records to feed them, stand-ins, a project to try them in, and, in
`stagekit.testing.contracts`, what an implementation of each protocol keeps, as tests to inherit.

Nothing of it is loaded by the tasks. Only `stagekit.testing.contracts` and
`stagekit.testing.fixtures` need pytest.
"""

from stagekit.testing.engine import FakeEngine, FakeLease
from stagekit.testing.fakes import FakeBuilder, FakeRunner, FakeSecrets, Heard
from stagekit.testing.project import Outcome, TemporaryProject, clean_environment
from stagekit.testing.records import (
    a_build,
    a_comparison,
    a_container,
    a_release,
    a_run,
    ran,
    released,
    stored_release,
)

__all__ = [
    "FakeBuilder",
    "FakeEngine",
    "FakeLease",
    "FakeRunner",
    "FakeSecrets",
    "Heard",
    "Outcome",
    "TemporaryProject",
    "a_build",
    "a_comparison",
    "a_container",
    "a_release",
    "a_run",
    "clean_environment",
    "ran",
    "released",
    "stored_release",
]
