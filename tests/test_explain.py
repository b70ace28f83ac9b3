"""What each variable is, where it was set, over what, and who uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.events import Noted, Warned
from stagekit.inputs.environment import Environment, load_environment
from stagekit.inputs.merge import Setting
from stagekit.inputs.usage import Use
from stagekit.pipeline.explain import Explained, explain, warn_of_unused
from stagekit.testing.fakes import Heard
from tests.test_environment import family

FOUND = [
    Use(("web",), "templates/compose.yaml:3"),
    Use(("A",), "templates/compose.yaml:4"),
    Use(("D",), "templates/compose.yaml:5"),
]


@pytest.fixture
def prod(tmp_path: Path) -> Environment:
    """An environment of every layer there is."""
    environ = {"STAGEKIT_VAR_B": "shell"}
    return load_environment(family(tmp_path), "prod", options=["DD=1"], environ=environ)


def test_a_variable_says_all_about_itself(prod: Environment) -> None:
    """Its value, the layer and line that set it, what it is over, and who asks for it."""
    assert explain(prod, FOUND, "web.port") == [
        Explained(
            name="web.port",
            value=443,
            layer="prod",
            origin="environments/prod/config.toml:3",
            overridden=(Setting(80, "environments/eu/config.toml:4"),),
            used=("templates/compose.yaml:3",),
            meant=None,
        )
    ]


def test_a_table_is_all_in_it_and_no_key_is_everything(prod: Environment) -> None:
    """In the order of their names."""
    assert [item.name for item in explain(prod, FOUND, "web")] == ["web.host", "web.port"]
    layers = {item.name: item.layer for item in explain(prod, FOUND, None)}
    assert layers == {
        "A": "base",
        "B": "shell",
        "C": "staging",
        "DD": "--set",
        "web.host": "eu",
        "web.port": "prod",
    }


def test_a_name_that_is_none_is_told_a_near_one(prod: Environment) -> None:
    """Half of a name is not that name."""
    with pytest.raises(InputError) as caught:
        explain(prod, FOUND, "web.prt")
    assert caught.value.hint == "did you mean web.port?"
    with pytest.raises(InputError, match="no variable 'we'"):
        explain(prod, FOUND, "we")


def test_what_nobody_uses_is_told_and_what_is_misspelt_warned_of(prod: Environment) -> None:
    """``--set DD=1`` that should have been D changes nothing: said before it is missed."""
    heard = Heard()
    warn_of_unused(prod.variables, [*FOUND, Use(("DX",), "t:1")], "prod", heard)
    assert heard.events == [
        Warned("DD (--set) is used by no template, and changes nothing"),
        Noted("used by no template: B, C (inv release.explain --env prod)"),
    ]
    heard = Heard()
    warn_of_unused(
        prod.variables, [*FOUND, Use(("BB",), "t:1"), Use(("DDD",), "t:1")], "prod", heard
    )
    assert Warned("DD (--set) is used by no template: did you mean DDD?") in heard.events
