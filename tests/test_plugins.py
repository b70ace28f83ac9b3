"""Choices are made by hooks; a repository's own plugin is asked before what ships."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import stagekit
from stagekit.errors import InputError, PluginFailed
from stagekit.plugins import found, spec
from stagekit.plugins.manager import Plugins
from stagekit.protocols import Builder, Engine, Runner, SecretProvider
from stagekit.records import CI, Source
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeBuilder, FakeRunner
from tests.fakes import shipped_plugins

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
    return shipped_plugins(*own)


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
        return SimpleNamespace(values=lambda *_: {"A": "own"}) if name == "own" else None


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
        Plugins(found.given([Own()])).builder("kaniko", ENGINE, {})
    assert caught.value.hint == "there are: auto, own; inv doctor says what another one lacks"
    assert caught.value.where == "pyproject.toml [tool.stagekit] builder"


def test_runner_and_secrets_are_chosen_by_an_environments_setting() -> None:
    """An own one by its name; an unknown one is an error that names the key."""
    plugins = with_own(Own())
    assert isinstance(plugins.runner("own", ENGINE, {}), FakeRunner)
    assert plugins.secret_provider("own", {}).values(["A"], {}) == {"A": "own"}
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
    assert caught.value.hint == "inv plugins --hooks lists the hooks there are"


def test_a_hook_with_an_unknown_argument_is_refused() -> None:
    """What a hook is not given it cannot ask for; the error names it."""

    class Wrong:
        @stagekit.hookimpl
        def stagekit_ci(self, environment: dict[str, str]) -> CI:
            return CI(name=environment["CI"])

    with pytest.raises(InputError, match=r"stagekit_ci(.|\n)*environment"):
        with_own(Wrong())


def raising(error: Exception) -> object:
    class Raising:
        @stagekit.hookimpl
        def stagekit_ci(self) -> None:
            raise error

    return Raising()


def test_who_raises_is_named() -> None:
    """With what to type; an error that a plugin words itself stays as it is."""
    with pytest.raises(PluginFailed, match="plugin raising failed in stagekit_ci") as caught:
        with_own(Own(), raising(ValueError("no"))).ci({})
    assert "ValueError: no" in str(caught.value)
    assert 'plugins.disable = ["raising"]' in str(caught.value.hint)
    own = InputError("mine", hint="do that")
    with pytest.raises(InputError, match="mine") as worded:
        with_own(raising(own)).ci({})
    assert worded.value is own
    assert own.where == "plugin raising"


def test_of_what_is_done_everybody_hears() -> None:
    """One that raises keeps no other from it, whichever is asked first; what all raised is told."""
    heard: list[str] = []

    class Listening:
        @stagekit.hookimpl
        def stagekit_after_step(self, step: str) -> None:
            heard.append(step)

    class Failing:
        @stagekit.hookimpl
        def stagekit_after_step(self, step: str) -> None:
            raise ValueError(step)

    plugins = with_own(Listening(), Failing(), Listening(), Failing())
    failed = plugins.tell_all("stagekit_after_step", step="up", facts={})
    assert heard == ["up", "up"]
    assert [error.what.partition(" failed")[0] for error in failed] == [
        "plugin failing-2",
        "plugin failing",
    ]


def test_who_is_slow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be stopped, so it is told."""
    monkeypatch.setattr("stagekit.plugins.registered._SLOW", 0.0)
    heard: list[str] = []
    Plugins(found.given([Own()]), warn=heard.append).ci({})
    assert heard[0].startswith("stagekit_ci took 0 s (asked: own")


def test_one_for_a_newer_stagekit_is_refused() -> None:
    """In one line, with both versions."""

    class Newer:
        stagekit_hooks = spec.VERSION + 1

    with pytest.raises(PluginFailed, match="made for hooks 2 of a newer stagekit") as caught:
        with_own(Newer())
    assert "pip install --upgrade stagekit" in str(caught.value.hint)


def test_two_of_a_name_are_both_asked() -> None:
    """They are told apart by a number; disabling the name leaves out both, and nothing that
    ships."""
    plugins = with_own(Own(), Own())
    names = [item.found.name for item in plugins.listed()]
    assert names.count("own") == 2
    every = [*found.given([Own(), Own()]), *found.shipping([Own()], "1")]
    left = [item.found.ships for item in Plugins(every, disabled=["own"]).listed()]
    assert left == [True]


def test_layers_come_with_their_plugins_names() -> None:
    """The first registered is the weakest; what is no table is refused."""

    class Weak:
        @stagekit.hookimpl
        def stagekit_variables(self, env: str) -> dict[str, str]:
            return {"A": f"weak {env}"}

    class Strong:
        @stagekit.hookimpl
        def stagekit_variables(self) -> dict[str, str]:
            return {"A": "strong"}

    class Wrong:
        @stagekit.hookimpl
        def stagekit_variables(self) -> str:
            return "A=1"

    asked = {"root": Path("/"), "env": "prod", "environ": {}}
    given = list(with_own(Weak(), Strong()).variables(**asked))
    assert given == [("weak", {"A": "weak prod"}), ("strong", {"A": "strong"})]
    with pytest.raises(PluginFailed, match="plugin wrong: stagekit_variables gives no dict"):
        list(with_own(Wrong()).variables(**asked))


def test_of_two_filters_of_a_name_the_later_plugins_wins() -> None:
    """As of two plugins that can answer."""

    def giving(text: str) -> object:
        class Giving:
            @stagekit.hookimpl
            def stagekit_template_filters(self) -> dict[str, str]:
                return {"x": text}

        return Giving()

    assert with_own(giving("a"), giving("b")).template_parts("filters") == {"x": "b"}


def test_modules_of_the_project_are_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``plugins = ["…"]`` names them; one that is not there, or fails, says which and how to go
    without it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "ours_of_a_test.py").write_text("hello = 1\n")
    (tmp_path / "broken_of_a_test.py").write_text("1 / 0\n")
    [ours, broken, none] = found.configured(
        ["ours_of_a_test", "broken_of_a_test", "no.such.module"], tmp_path
    )
    assert ours.load().hello == 1  # type: ignore[attr-defined]
    for item, said in ((broken, "ZeroDivisionError"), (none, "No module named 'no'")):
        with pytest.raises(PluginFailed, match=said) as caught:
            item.load()
        assert "[tool.stagekit] plugins" in str(caught.value.where)
        assert "STAGEKIT_NO_PLUGINS=1" in str(caught.value.hint)


def test_every_hook_says_what_it_is_for() -> None:
    """And has its arguments' types: that is the documentation of `inv plugins --hooks`."""
    for name, hook in vars(spec.Hooks).items():
        if name.startswith("stagekit_"):
            assert hook.__doc__, name
            assert "return" in hook.__annotations__, name
