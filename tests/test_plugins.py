"""Choices are made by hooks; a repository's own plugin is asked before what ships."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

import stagekit
from stagekit.builtin.shipped import shipped
from stagekit.errors import InputError
from stagekit.plugins.manager import Plugins
from stagekit.protocols import Builder, Engine, Runner, SecretProvider
from stagekit.records import CI, Source
from tests.fakes import FakeBuilder, FakeEngine, FakeRunner

NOW = datetime(2026, 4, 6, 20, 32, 17, tzinfo=UTC)
GOCD = {
    "GO_SERVER_URL": "https://ci.test/go/",
    "GO_PIPELINE_NAME": "shop",
    "GO_PIPELINE_COUNTER": "42",
    "GO_STAGE_NAME": "build",
    "GO_STAGE_COUNTER": "2",
}
ENGINE = FakeEngine()


def named(plugins: Plugins, ci: CI | None = None) -> str:
    """How the plugins name a build by default."""
    return plugins.build_id("auto", ci=ci, source=Source(), now=NOW, taken=())


def with_own(*own: object) -> Plugins:
    return Plugins((*shipped(), *own))


class Own:
    """A plugin that answers everything, some of it with nothing where asked for something else."""

    @stagekit.hookimpl
    def stagekit_ci(self, environ: Mapping[str, str]) -> CI | None:
        return CI(name="own") if "OWN_CI" in environ else None

    @stagekit.hookimpl
    def stagekit_build_id(self, now: datetime) -> str:  # the other arguments may be left out
        return f"own-{now.year}"

    @stagekit.hookimpl
    def stagekit_builder(self, engine: Engine) -> Builder:
        assert isinstance(engine, FakeEngine)
        return FakeBuilder(engine, name="own")

    @stagekit.hookimpl
    def stagekit_runner(self, kind: str) -> Runner | None:
        return FakeRunner([]) if kind == "own" else None

    @stagekit.hookimpl
    def stagekit_secret_provider(self, name: str) -> SecretProvider | None:
        return SimpleNamespace(values=lambda _: {"A": "own"}) if name == "own" else None


def test_an_own_plugin_is_asked_before_what_ships() -> None:
    """And what it does not answer is left to what ships."""
    plugins = with_own(Own())
    assert named(plugins) == "own-2026"
    assert plugins.ci({**GOCD, "OWN_CI": "1"}) == CI(name="own")
    recognised = plugins.ci(GOCD)
    assert recognised is not None
    assert recognised.name == "gocd"


def test_of_two_own_plugins_the_later_one_answers() -> None:
    """The order in tasks.py is the order of strength."""

    class Later:
        @stagekit.hookimpl
        def stagekit_build_id(self) -> str:
            return "later"

    assert named(with_own(Own(), Later())) == "later"


def test_a_build_that_nobody_names_is_an_error() -> None:
    """A plugin that answers with nothing is no name."""
    with pytest.raises(InputError, match="no plugin names builds by 'auto'"):
        named(Plugins(()))


@pytest.mark.parametrize("wanted", ["auto", "own"])
def test_a_builder_is_chosen_by_name_or_taken_first(wanted: str) -> None:
    """``auto`` is the first offered: an own one goes before what ships."""
    assert with_own(Own()).builder(wanted, ENGINE, {}).name == "own"


def test_an_unknown_builder_is_told_which_there_are() -> None:
    """With the setting to change."""
    with pytest.raises(InputError, match="no builder 'kaniko'") as caught:
        Plugins([Own()]).builder("kaniko", ENGINE, {})
    assert caught.value.hint == "there are: auto, own"
    assert caught.value.where == "pyproject.toml [tool.stagekit] builder"


def test_runner_and_secrets_are_chosen_by_an_environments_setting() -> None:
    """An own one by its name; an unknown one is an error that names the key."""
    plugins = with_own(Own())
    assert isinstance(plugins.runner("own", ENGINE, {}), FakeRunner)
    assert plugins.secret_provider("own", {}).values(["A"]) == {"A": "own"}
    with pytest.raises(InputError, match="no runner for engine 'nomad'") as caught:
        plugins.runner("nomad", ENGINE, {})
    assert caught.value.where == "config.toml [stagekit] engine"
    with pytest.raises(InputError, match="no secret provider 'vault'") as caught:
        plugins.secret_provider("vault", {})
    assert caught.value.where == "config.toml [stagekit] secret_provider"


def test_an_unknown_hook_is_refused() -> None:
    """A typing mistake in a plugin is not a hook that is never called."""

    class Typo:
        @stagekit.hookimpl
        def stagekit_bild_id(self) -> str:
            return "x"

    with pytest.raises(InputError, match="unknown hook 'stagekit_bild_id'") as caught:
        with_own(Typo())
    assert "stagekit/plugins/spec.py" in str(caught.value.hint)


def test_a_hook_with_an_unknown_argument_is_refused() -> None:
    """What a hook is not given it cannot ask for; the error names it."""

    class Wrong:
        @stagekit.hookimpl
        def stagekit_ci(self, environment: dict[str, str]) -> CI:
            return CI(name=environment["CI"])

    with pytest.raises(InputError, match=r"stagekit_ci(.|\n)*environment"):
        with_own(Wrong())
