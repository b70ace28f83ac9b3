"""Inspection is the verdict: what is up, holds for its time, and is the image that was pinned."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from stagekit.cancel import Cancel
from stagekit.containers import Container, Observation
from stagekit.errors import Cancelled, NotProven, RunFailed
from stagekit.images import ImageFacts
from stagekit.inputs.seal import replicas
from stagekit.pipeline.run import proof
from stagekit.records import Deploy, Pin
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner
from stagekit.testing.records import PIN, a_container, a_release, sha

DOCUMENT = {"services": {"web": {}}}
RELEASE = a_release(id="v1", deploy=Deploy(timeout=0.5, settle=0.0))
UP = a_container()
EXITED = a_container(state="exited", exit_code=3)
JOB_DONE = a_container(state="exited", exit_code=0, restart_policy="no")


def settle(
    *observations: list[Container],
    document: dict[str, object] | None = None,
    complaint: tuple[str, ...] = (),
    engine: FakeEngine | None = None,
    timeout: float = 0.5,
    settle: float = 0.0,
) -> tuple[Container, ...]:
    release = a_release(id="v1", deploy=Deploy(timeout=timeout, settle=settle))
    wanted = replicas(document or DOCUMENT)
    runner, on = FakeRunner(*observations), engine or FakeEngine()
    settled = proof.settle(release, wanted, runner, on, Cancel(), complaint=complaint)
    return proof.held(release, wanted, runner, on, settled, Cancel())


def refusal(*observations: list[Container], **settings: object) -> NotProven:
    with pytest.raises(NotProven) as caught:
        settle(*observations, **settings)  # type: ignore[arg-type]
    return caught.value


def test_what_runs_and_holds_is_proven() -> None:
    """Its containers are the answer."""
    assert settle([UP]) == (UP,)
    assert settle([a_container(health="healthy")])[0].health == "healthy"


def test_the_engine_may_decide_how_many_there_are() -> None:
    """Of a service that runs once on each node, there are as many as nodes."""
    wanted, others = replicas(DOCUMENT), [UP, a_container(name="shop-prod_web.node2", id="c2")]
    runner = FakeRunner(others, numbers={"web": 2})
    settled = proof.settle(RELEASE, wanted, runner, FakeEngine(), Cancel())
    assert len(settled.containers) == 2
    with pytest.raises(NotProven, match="2 of 1 containers"):
        proof.settle(RELEASE, wanted, FakeRunner(others), FakeEngine(), Cancel())


@pytest.mark.parametrize("policy", ["no", "on-failure"])
def test_a_one_shot_that_ended_with_0_is_done(policy: str) -> None:
    """It need not run any more."""
    job = a_container(state="exited", exit_code=0, restart_policy=policy)
    assert settle([job]) == (job,)


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (EXITED, "exited with 3"),
        (a_container(state="exited", exit_code=0), "exited with 0"),  # it should run for ever
        (a_container(state="exited", exit_code=1, restart_policy="no"), "exited with 1"),
        (a_container(state="dead", error="no such file"), "dead: no such file"),
        (a_container(state="paused"), "paused"),
        (a_container(state="created"), "created"),
        (a_container(state="created", error="port is taken"), "created: port is taken"),
        (a_container(health="unhealthy", health_output="curl: refused"), "unhealthy: curl: refuse"),
        (a_container(health="unhealthy"), "unhealthy: its check fails"),
    ],
)
def test_what_waiting_will_not_mend_fails_at_once(container: Container, reason: str) -> None:
    """The error has the container, the reason, its last lines, and the way back."""
    begun = time.monotonic()
    error = refusal([container], timeout=30.0)
    assert time.monotonic() - begun < 2
    assert error.what.startswith(f"shop-prod-web-1: {reason}")
    assert error.where == "prod/v1, service web"
    assert error.output == ("last words",)
    assert error.hint is not None
    assert error.hint.startswith("inv run.rollback --env prod")
    assert error.exit_code == RunFailed.exit_code
    assert [(item.service, item.name) for item in error.failed] == [("web", "shop-prod-web-1")]


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (a_container(health="starting"), "not healthy yet"),
        (a_container(state="restarting"), "restarting"),
    ],
)
def test_what_may_mend_is_waited_for(container: Container, reason: str) -> None:
    """It may come up while it is looked at; if it does not, that is the reason."""
    assert settle([container], [container], [UP]) == (UP,)
    assert refusal([container]).what == f"shop-prod-web-1: {reason}"


def test_another_number_of_containers_fails_at_once() -> None:
    """The runner has started all it will: fewer never come, and more never go."""
    two = {"services": {"web": {"deploy": {"replicas": 2}}}}
    other = a_container(id="2", name="shop-prod-web-2")
    begun = time.monotonic()
    assert len(settle([UP, other], document=two)) == 2
    assert "1 of 2 containers" in refusal([UP], document=two, timeout=30.0).what
    assert "2 of 1 containers" in refusal([UP, other], timeout=30.0).what
    assert refusal([], timeout=30.0).what == "web: 0 of 1 containers"
    assert time.monotonic() - begun < 2


def test_a_complaint_is_told_where_there_is_no_container() -> None:
    """The runner's last words are all there is."""
    begun = time.monotonic()
    error = refusal([], complaint=("no such image",), timeout=30.0)
    assert time.monotonic() - begun < 2
    assert error.what == "web: 0 of 1 containers: no such image"
    assert error.output == ("no such image",)


def test_a_complaint_is_a_verdict_even_if_all_is_up() -> None:
    """What is up may be what was up before: it was not replaced."""
    error = refusal([UP], complaint=("removing web-1", "cannot create network x"))
    assert error.what == "it was not brought up whole: cannot create network x"
    assert error.output == ("removing web-1", "cannot create network x")


def test_a_final_failure_is_not_hidden_by_a_start_under_way() -> None:
    """Of two replicas one still starts and one has crashed: the crash is the reason, at once."""
    two = {"services": {"web": {"deploy": {"replicas": 2}}}}
    starting = a_container(id="1", health="starting")
    crashed = a_container(id="2", name="shop-prod-web-2", state="exited", exit_code=3)
    begun = time.monotonic()
    error = refusal([starting, crashed], document=two, timeout=30.0)
    assert time.monotonic() - begun < 2
    assert error.what == "shop-prod-web-2: exited with 3"


def test_of_several_services_the_one_that_failed_comes_first() -> None:
    """Others that only wait for it are told after it."""
    document = {"services": {"api": {}, "web": {}}}
    waiting = a_container("api", health="starting")
    error = refusal([waiting, EXITED], document=document)
    assert [item.service for item in error.failed] == ["web", "api"]
    assert error.where == "prod/v1, service web"


@pytest.mark.parametrize(
    "later",
    [
        a_container(restarts=1),
        a_container(started="2026-04-06T12:00:05Z"),
        a_container(id="another"),
    ],
)
def test_a_restart_while_it_should_settle_fails(later: Container) -> None:
    """A crash loop that happens to run whenever it is looked at is found out, with its lines."""
    error = refusal([UP], [later])
    assert error.what == "shop-prod-web-1: restarted while it should have settled"
    assert error.output == ("last words",)


def test_what_moves_from_a_node_that_went_has_to_settle_there() -> None:
    """The node is not the release's failure; what it had may fail where it comes up next."""
    starts = a_container(id="2", state="restarting", moved_from="node3")
    moved = a_container(id="2", moved_from="node3")
    assert settle([UP], [starts], [starts], [moved], [moved]) == (moved,)
    again = a_container(id="3")
    assert "restarted while it should" in refusal([UP], [moved], [moved], [again], settle=0.1).what
    assert refusal([UP], [starts]).what == "shop-prod-web-1: restarting"
    assert "restarted while it should" in refusal([moved], [again]).what


def test_what_fails_while_it_should_settle_fails() -> None:
    """Coming up once is not enough."""
    assert "exited with 3" in refusal([UP], [EXITED]).what
    assert "0 of 1" in refusal([UP], []).what


def test_it_has_to_hold_for_its_settle_time() -> None:
    """The second look is that much later."""
    begun = time.monotonic()
    settle([UP], settle=0.5)
    assert time.monotonic() - begun >= 0.5


def test_what_ran_before_and_was_not_touched_has_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that changes nothing does not wait; one that restarted a container does."""
    monkeypatch.setattr(proof, "_RESTARTED_SETTLE", 0.0)
    release = a_release(id="v1", deploy=Deploy(timeout=0.5, settle=0.3))
    for before, seconds in (
        ([UP], 0.0),
        ([], 0.3),
        ([a_container(started="2026-04-06T11:00:00Z")], 0.3),
        ([a_container(id="another")], 0.3),
    ):
        _, held = proof.settle(
            release,
            {"web": 1},
            FakeRunner([UP]),
            FakeEngine(),
            Cancel(),
            before=Observation(containers=tuple(before)),
        )
        assert held == seconds


def test_what_restarted_lately_has_to_hold_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop whose rounds are longer than the settle time is not taken for running."""
    monkeypatch.setattr(proof, "_RESTARTED_SETTLE", 0.4)
    now = datetime.now(UTC).isoformat()
    before = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    for container, seconds in (
        (a_container(restarts=1, started=now), 0.4),
        (a_container(restarts=1, started="not a time"), 0.4),
        (a_container(restarts=0, started=now), 0.0),
        (a_container(restarts=1, started=before), 0.0),
    ):
        begun = time.monotonic()
        runner = FakeRunner([container])
        _, held = proof.settle(RELEASE, {"web": 1}, runner, FakeEngine(), Cancel())
        assert held == seconds
        assert time.monotonic() - begun >= seconds


def test_a_cancel_ends_the_waiting() -> None:
    """Ctrl-C while a service starts is heard."""
    cancel = Cancel()
    cancel.request()
    with pytest.raises(Cancelled):
        proof.settle(RELEASE, {"web": 1}, FakeRunner([UP]), FakeEngine(), cancel)


def engine_with(*digests: str) -> FakeEngine:
    facts = ImageFacts(id=UP.image_id, size=1, digests=digests)
    return FakeEngine(images={UP.image_id: facts})


def test_a_container_of_the_pinned_digest_is_proven() -> None:
    """The engine's image id leads to its digests, and one of them is the pin."""
    [seen] = proof.compare(RELEASE, [UP], engine_with("other@sha256:1", PIN.pinned))
    assert seen.proven
    assert seen.digests == ("other@sha256:1", PIN.pinned)
    assert proof.runs(UP, PIN, engine_with(PIN.pinned))


def test_an_image_id_pins_where_there_is_no_digest() -> None:
    """An engine-local release is compared with the image id itself."""
    pin = Pin(asked="web:1", pinned=UP.image_id, kind="image id")
    release = a_release(id="v1", pins={"web": pin})
    assert proof.compare(release, [UP], FakeEngine())[0].proven
    assert not proof.runs(a_container(image_id=sha("other")), pin, FakeEngine())


@pytest.mark.parametrize(
    "digests", [(), ("registry.test/web@" + sha("other"),), ("elsewhere/web@" + sha("web"),)]
)
def test_a_container_of_another_image_is_not_proven(digests: tuple[str, ...]) -> None:
    """Another digest, another repository, or none at all."""
    with pytest.raises(NotProven, match="not what was released") as caught:
        proof.compare(RELEASE, [UP], engine_with(*digests))
    assert caught.value.where == "prod/v1, service web"


def test_a_service_that_was_not_released_is_not_proven() -> None:
    """A container nobody asked for does not pass."""
    with pytest.raises(NotProven):
        proof.compare(RELEASE, [UP, a_container("spy")], engine_with(PIN.pinned))
