"""An engine, or a registry, that does not answer, says no, or is cut off, at each request there
is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from io import BytesIO
from itertools import cycle
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import requests
from docker.models.volumes import Volume

from stagekit.cancel import Cancel
from stagekit.engine.docker import DockerEngine
from stagekit.engine.endpoint import Endpoint
from stagekit.errors import LimitExceeded
from stagekit.events import ignore
from stagekit.ledger.files import FileLedger
from stagekit.records import Standing
from stagekit.testing.records import NOON, sha
from tests.conftest import Machine
from tests.faults.front import Front, in_front_of, in_front_of_registry
from tests.faults.prepared import Ground, Prepared
from tests.faults.scenarios import BUILD, SCENARIOS, SHIP, V1, Scenario
from tests.faults.stage import Stage

pytestmark = pytest.mark.engine

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
KINDS = ("500", "cut", "hang", "tear")
_FEW = 2
_ENGINE = [item for item in SCENARIOS if item.name in ("build", "run", "run.rollback", "run.stop")]
_STOPPED = (("run.stop", "-e", "prod"),)
_REGISTRY = (
    Scenario(BUILD),
    # Its image is taken off the engine each time, and has to be pulled.
    Scenario(V1, before=(BUILD, SHIP, V1), again=_STOPPED, in_place=True),
)


def wrong_at_each(
    front: Front, stage: Stage, turn: int, faults: str, ready: Callable[[], None], **leads: str
) -> list[str]:
    """Return what is broken where something goes wrong with a request: at a few in one way each, at
    each of them in one way, or in all ways.

    Args:
        front: where requests come by.
        stage: makes them.
        turn: of the stage, among others: which ways it begins with.
        faults: the option of that name.
        ready: called before each command.
        leads: what leads there.
    """
    reached: list[int] = []

    def struck(kind: str = "", at: int = -1) -> None:
        ready()
        front.expect(kind, at)

    def mended() -> None:
        reached.append(front.requests)
        front.expect()

    assert stage.reach(struck, mended, **leads) == []
    wrong, [there] = [], reached
    assert there > 0
    few = sorted({(2 * n + 1) * there // (2 * _FEW) for n in range(_FEW)})
    ways = cycle((*KINDS[turn % len(KINDS) :], *KINDS))
    for number in few if faults == "few" else range(there):
        for kind in KINDS if faults == "all" else (next(ways),):
            said = stage.reach(partial(struck, kind, number), mended, **leads)
            wrong += [f"{kind} at request {number} of {there}{text}" for text in said]
    return wrong + stage.audit()


@pytest.mark.parametrize("scenario", _ENGINE, ids=[item.name for item in _ENGINE])
def test_whatever_the_engine_does_the_next_command_goes_on(
    scenario: Scenario, prepared: Prepared, machine: Machine, request: pytest.FixtureRequest
) -> None:
    """It is told, the promises hold, and with the engine well again the next command does its
    work."""
    faults, turn = request.config.getoption("faults"), _ENGINE.index(scenario) * _FEW
    behind = Path(machine.engine.url.removeprefix("unix://"))
    path = behind.with_name("faulty.sock")
    with in_front_of(behind, path) as front:
        stage = Stage(scenario, prepared)
        leads = {"DOCKER_HOST": f"unix://{path}"}
        wrong = wrong_at_each(front, stage, turn, faults, lambda: None, **leads)
        stage.close()
    assert wrong == []


@pytest.mark.parametrize("kind", ["500", "cut", "hang", "late"])
def test_what_is_in_force_is_noted_once(
    kind: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the requests for it breaks: some of them were heard all the same."""
    monkeypatch.setattr("stagekit.engine.client._ANSWER_LIMIT", 1)
    behind = Path(machine.engine.url.removeprefix("unix://"))
    path, project = behind.with_name("noting.sock"), f"noted{kind}"
    engine = DockerEngine(Endpoint(f"unix://{path}", "the test"), machine.environ)
    with closing(machine.client()) as client, in_front_of(behind, path) as front:

        def noted() -> list[Volume]:
            label = f"stagekit.state={project}-prod"
            found: list[Volume] = client.volumes.list(filters={"label": label})
            return found

        try:
            for run in (1, 2):
                front.expect()
                engine.keep_standing(in_force(project, run))
            for at in range(front.requests):
                front.expect(kind, at)
                engine.keep_standing(in_force(project, at + 3))
                assert [volume.name for volume in noted()] == [
                    f"stagekit-state-{project}-prod-{at + 3}"
                ]
        finally:
            for volume in noted():
                volume.remove()


def in_force(project: str, run: int) -> Standing:
    return Standing(
        project=project,
        env="prod",
        run=run,
        outcome="running",
        reason="run",
        release="v1",
        release_digest=sha("v1"),
        build="b1",
        actor="ann",
        when=NOON,
    )


@pytest.fixture(scope="module")
def registry(machine: Machine) -> Iterator[tuple[Front, str]]:
    """Another address of the session's registry, at which requests can go wrong."""
    with in_front_of_registry(machine.registry) as found:
        yield found


@pytest.fixture(scope="module")
def there(
    registry: tuple[Front, str], machine: Machine, prepare: Callable[[Ground], Prepared]
) -> Prepared:
    """A project that pushes there."""
    return prepare(Ground.of(replace(machine, registry=registry[1])))


@pytest.mark.parametrize("scenario", _REGISTRY, ids=[item.name for item in _REGISTRY])
def test_whatever_the_registry_does_the_next_command_goes_on(
    scenario: Scenario,
    registry: tuple[Front, str],
    there: Prepared,
    machine: Machine,
    request: pytest.FixtureRequest,
) -> None:
    """The same of the requests that an engine makes of a registry, to push and to pull."""
    faults, turn = request.config.getoption("faults"), _REGISTRY.index(scenario) * _FEW
    front, address = registry
    front.expect()
    stage = Stage(scenario, there)

    def ready() -> None:
        if scenario.in_place:
            machine.remove_image(address)

    wrong = wrong_at_each(front, stage, turn, faults, ready)
    stage.close()
    assert wrong == []


def test_a_layer_that_does_not_come_is_waited_for_as_long_as_it_may(
    registry: tuple[Front, str], there: Prepared, machine: Machine
) -> None:
    """Each time, and no longer: an engine waits on for a layer when the pull that began it is gone,
    and lets the next one wait too."""
    front, address = registry
    front.expect()
    there.bring((), ledger=False)
    page = there.here / "project/app/index.html"
    page.write_text(token_hex())  # or another image here has the layer
    there.do(BUILD, ledger=False)
    there.do(SHIP, ledger=False)
    front.expect("hang", layer_of(there, address).encode())
    machine.remove_image(address)
    for _ in range(2):
        ended = there.run(V1, ledger=False, limit=2)
        assert (ended.code, "nothing was heard for 2 s" in ended.text) == (6, True), ended.text
        assert "if the next one hangs too, restart the engine" in ended.text
    front.expect()
    there.do(V1, ledger=False)
    there.clear()


def test_a_push_is_waited_for_longer_than_an_answer(
    registry: tuple[Front, str], machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry may need minutes for a layer, while an engine answers at once or not at all."""
    front, address = registry
    monkeypatch.setattr("stagekit.engine.client._ANSWER_LIMIT", 1)
    monkeypatch.setattr("stagekit.engine.transfers._SILENCE", 3.0)
    engine, name = DockerEngine(Endpoint(machine.engine.url, "the test"), {}), f"{address}/slow:1"
    with closing(machine.client()) as client:
        text = f"FROM busybox:1\nLABEL slow={token_hex()}\n"
        client.images.build(fileobj=BytesIO(text.encode()), tag=name)
    front.expect("hang", b"POST /v2/")
    with pytest.raises(LimitExceeded, match=r"cannot push .*: nothing was heard for 3 s") as raised:
        engine.push(name, shared=False, emit=ignore, cancel=Cancel())
    assert raised.value.hint == "check that the registry runs and can be reached from the engine"
    front.expect()
    machine.remove_image(address)


def layer_of(project: Prepared, address: str) -> str:
    """Return the digest of the last layer of what a project built."""
    ledger = FileLedger(project.here / "project/artifacts")
    image = ledger.build(ledger.builds()[0]).record.images["app"]
    name = image.repository.partition("/")[2]
    url = f"http://{address}/v2/{name}/manifests/{image.digest}"
    answer = requests.get(url, headers={"Accept": _MANIFEST}, timeout=10)
    layers: list[dict[str, Any]] = answer.json()["layers"]
    return str(layers[-1]["digest"])
