"""The shipped secret provider: the environment of whoever runs the release."""

from __future__ import annotations

import pytest

from stagekit.builtin.providers import Env
from stagekit.builtin.secrets import EnvironmentSecrets
from stagekit.errors import InputError


def test_a_secret_is_the_variable_of_its_name() -> None:
    """Only those that were asked for come back, an empty one included."""
    environ = {
        "STAGEKIT_SECRET_A": "1",
        "STAGEKIT_SECRET_B": "",
        "STAGEKIT_SECRET_C": "3",
        "A": "x",
    }
    assert EnvironmentSecrets(environ).values(["A", "B"], {}) == {"A": "1", "B": ""}
    assert EnvironmentSecrets(environ).values([], {}) == {}


def test_a_missing_secret_is_named_and_no_other_is_told() -> None:
    """The error says which variable to set, and holds no value."""
    environ = {"STAGEKIT_SECRET_A": "hunter2"}
    with pytest.raises(InputError, match="secret B has no value") as caught:
        EnvironmentSecrets(environ).values(["A", "B"], {})
    assert caught.value.where == "$STAGEKIT_SECRET_B"
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_a_release_carries_nothing_of_them() -> None:
    """Only a run knows which there are."""
    assert EnvironmentSecrets({}).names([]) is None
    assert EnvironmentSecrets({}).carried(["A"], []) == {}


def test_it_answers_to_its_name_only() -> None:
    """Another provider's name is another plugin's; the long form is the same as the short one."""
    assert Env().stagekit_secret_provider("env", {}) is not None
    assert Env().stagekit_secret_provider("environment", {}) is not None
    assert Env().stagekit_secret_provider("vault", {}) is None
