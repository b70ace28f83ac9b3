# ruff: noqa: ARG002  # a protocol names arguments that a stand-in may not need
"""Two releases side by side: brought up, asked, removed and recorded, however it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stagekit.alive import ourselves
from stagekit.containers import COMPARISON, Container, Observation, Port
from stagekit.digest import of_files, of_tree
from stagekit.errors import (
    Cancelled,
    EngineError,
    InputError,
    LedgerError,
    NotProven,
    RunFailed,
    StagekitError,
)
from stagekit.images import ImageFacts
from stagekit.inputs.document import parse, to_yaml
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.compare import Difference
from stagekit.pipeline.compare import compare as on_paper
from stagekit.pipeline.run.comparison import clean_up, compare, plan
from stagekit.pipeline.run.halves import Asked
from stagekit.pipeline.sides import released as side
from stagekit.records import (
    Cancellation,
    Compared,
    ComparedRelease,
    Comparison,
    Deploy,
    HttpCheck,
    ReleaseCommand,
    Stored,
)
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeRunner, Heard
from stagekit.testing.records import NOON, PIN, a_container, a_release
from tests.fakes import platform

PORTS = [{"target": 80, "published": "8080", "protocol": "tcp"}]
DOCUMENT = {"name": "shop-dev", "services": {"web": {"image": PIN.pinned, "ports": PORTS}}}
UP = a_container(ports=(Port("127.0.0.1", "40000", "tcp", "80"),))
IMAGE = ImageFacts(id=UP.image_id, size=1, digests=(PIN.pinned,))
COMMAND = ReleaseCommand(service="web", command=("migrate",))
A_COMMAND = Asked(command=("sh", "-c", "echo $STAGEKIT_COMPARE_RELEASE"))


def add(ledger: FileLedger, document: dict[str, Any] = DOCUMENT, **changes: Any) -> str:
    """Add a release to dev; return its id."""
    files = {"compose.yaml": to_yaml(document).encode(), "variables.toml": b""}
    release = a_release("dev", content_digest=of_tree(files), files=of_files(files), **changes)
    return ledger.add_release(release, files).record.id


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """A ledger with two releases to dev."""
    ledger = FileLedger(tmp_path)
    add(ledger)
    add(ledger, {**DOCUMENT, "x-more": "1"})
    return ledger


class Runner(FakeRunner):
    """Brings up documents on an engine, each under its own project; those of ``breaks`` crash."""

    def __init__(self, engine: FakeEngine, breaks: str = "-none-") -> None:
        super().__init__([UP])
        self.engine, self.breaks = engine, breaks
        self.documents: dict[str, dict[str, Any]] = {}

    def up(self, release: Any, document: bytes, *arguments: Any, **more: Any) -> tuple[str, ...]:
        super().up(release, document, *arguments, **more)
        made = parse(document)
        self.documents[release.compose_project] = made
        by = made["services"]["web"]["labels"][COMPARISON]
        self.engine.compared[f"{release.compose_project}-web-1"] = by
        return ()

    def observe(self, project: str) -> Observation:
        if f"{project}-web-1" not in self.engine.compared:
            return Observation(containers=())
        return Observation(containers=(self._container(project),))

    def _container(self, project: str) -> Container:
        found = replace(UP, name=f"{project}-web-1", project=project)
        broken = self.breaks in project
        return replace(found, state="exited", exit_code=3) if broken else found


class Looking:
    """Somebody who looks on, and does ``then`` once all was asked."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.then = then
        self.sides: tuple[ComparedRelease, ...] = ()
        self.heard: list[Compared] = []
        self.held = False

    def up(self, old: ComparedRelease, new: ComparedRelease) -> None:
        self.sides = (old, new)

    def answered(self, compared: Compared) -> None:
        self.heard.append(compared)

    def hold(self) -> None:
        self.held = True
        self.then()


def engine(**more: Any) -> FakeEngine:
    return FakeEngine(images={PIN.pinned: IMAGE, UP.image_id: IMAGE}, local=True, **more)


def paper(ledger: FileLedger, *ids: str) -> Difference:
    old, new = (side(ledger, "dev", id) for id in ids)
    return on_paper(old, new)


def run(
    ledger: FileLedger,
    asked: Asked = A_COMMAND,
    *,
    ids: tuple[str, str] = ("v1", "v2"),
    on: FakeEngine | None = None,
    runner: FakeRunner | None = None,
    looking: Looking | None = None,
    **more: Any,
) -> Comparison:
    on = on or engine()
    at = platform(ledger, runner or Runner(on), on, **more)
    old, new = ids
    decided = plan(("dev", old), ("dev", new), asked, paper(ledger, old, new), at)
    return compare(decided, at, looking or Looking()).record


def only(ledger: FileLedger) -> Comparison:
    [n] = ledger.comparisons()
    return ledger.comparison(n).record


def test_both_are_brought_up_asked_removed_and_recorded(ledger: FileLedger) -> None:
    """Under names of their own, by documents that say whose they are."""
    on, looking = engine(), Looking()
    runner = Runner(on)
    record = run(ledger, on=on, runner=runner, looking=looking)
    assert record == only(ledger)
    assert (record.n, record.outcome, record.project) == (1, "different", "shop")
    assert (record.old.name, record.new.name) == ("dev/v1", "dev/v2")
    assert record.old.release == ledger.release("dev", "v1").link
    assert list(runner.documents) == [record.old.project, record.new.project]
    for half in (record.old, record.new):
        made = runner.documents[half.project]
        assert half.project.startswith("shop-compare-")
        assert made["name"] == half.project
        assert made["services"]["web"]["labels"] == {
            COMPARISON: ourselves().replace("$", "$$"),
            "stagekit.release": half.name,
        }
        assert half.address == half.addresses["web:80"] == "http://127.0.0.1:40000"
        assert half.document.startswith("sha256:")
        assert [seen.proven for seen in half.containers] == [True]
    assert looking.sides == (record.old, record.new)
    assert tuple(looking.heard) == record.compared
    assert record.compared[0].difference[-2:] == ("-dev/v1", "+dev/v2")
    assert (looking.held, on.compared, on.leases, on.kept) == (True, {}, [], None)
    assert list(ledger.runs("dev")) == []


def test_without_a_question_the_paper_decides(ledger: FileLedger) -> None:
    """What was released differs, or does not."""
    assert run(ledger, Asked()).outcome == "different"
    assert run(ledger, Asked(), ids=("v1", "v1")).outcome == "same"
    assert run(ledger, Asked(command=("true",))).outcome == "same"
    assert list(ledger.comparisons()) == [3, 2, 1]


@pytest.mark.parametrize("breaks", ["-old-", "-new-"])
def test_one_that_does_not_come_up(ledger: FileLedger, breaks: str) -> None:
    """Both go; the error does not lead to the environment, which was not touched."""
    on = engine()
    with pytest.raises(NotProven, match="exited with 3") as caught:
        run(ledger, on=on, runner=Runner(on, breaks))
    assert caught.value.hint == "inv release.diff dev/v1 dev/v2 shows what is different on paper"
    assert on.compared == {}
    record = only(ledger)
    assert record.failure
    assert record.outcome == "failed"
    assert record.failure.step == ("up dev/v1" if breaks == "-old-" else "up dev/v2")
    assert record.failure.output == ("last words",)


def test_somebody_stops_it(ledger: FileLedger) -> None:
    """By one Ctrl-C or by two; what was made for it goes, and the record says so."""
    for error in (Cancelled("stopped"), KeyboardInterrupt()):
        on = engine()

        def stop(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            run(ledger, on=on, looking=Looking(stop))
        assert on.compared == {}
        record = ledger.comparison(ledger.comparisons()[0]).record
        assert (record.outcome, len(record.compared)) == ("cancelled", 1)


def test_one_that_falls_while_it_is_asked_differs(ledger: FileLedger) -> None:
    """However alike both answered; its last words are recorded, secrets masked."""
    add(ledger, secrets=("KEY",))
    on = engine(log=("out of memory, hunter2",))
    runner = Runner(on)

    class Crashing(Looking):
        def answered(self, compared: Compared) -> None:
            assert not compared.differs
            runner.breaks = "-new-"

    record = run(
        ledger,
        Asked(command=("true",)),
        ids=("v1", "v3"),
        on=on,
        runner=runner,
        looking=Crashing(),
        KEY="hunter2",
    )
    assert record.outcome == "different"
    [warning] = record.warnings
    assert warning.startswith("dev/v3 did not hold while it was asked: shop-compare-")
    assert warning.endswith("exited with 3; its last line: out of memory, ***")


def test_what_cannot_be_removed_is_told(ledger: FileLedger) -> None:
    """And recorded; the verdict stands."""

    class Stuck(FakeEngine):
        def remove_compared(self, left: Callable[[str], bool]) -> tuple[str, ...]:
            raise EngineError("a network is in use")

    on, heard = Stuck(images=engine().images, local=True), Heard()
    record = run(ledger, on=on, heard=heard)
    assert record.outcome == "different"
    assert record.warnings == ("not all that was made for it is removed: a network is in use",)
    assert "what a comparison left behind cannot be removed" in heard.text


def test_what_a_killed_one_left_is_removed(ledger: FileLedger) -> None:
    """That of a process of this machine that is gone; the record is written from its journal."""
    gone = ourselves().rpartition(" ")[0] + " 1"
    on, heard = engine(compared={"theirs-web-1": gone, "other-web-1": "boot 7 1"}), Heard()
    slot = ledger.begin_comparison(a_comparison())
    slot.note({"step": "up dev/v1"})
    slot.close()
    clean_up(platform(ledger, FakeRunner(()), on, heard=heard))
    assert list(on.compared) == ["other-web-1"]
    assert "removed what a comparison left behind: theirs-web-1" in heard.text
    record = only(ledger)
    assert record.failure
    assert (record.outcome, record.failure.step) == ("interrupted", "up dev/v1")


def test_secrets_are_in_no_error_and_no_record(ledger: FileLedger) -> None:
    """Both get theirs as a run would; one that cannot be had stops it before anything is up."""
    add(ledger, secrets=("KEY",))
    on = engine()
    on.log = ("it is hunter2",)
    runner = Runner(on, "-new-")
    with pytest.raises(StagekitError) as caught:
        run(ledger, on=on, runner=runner, ids=("v1", "v3"), KEY="hunter2")
    assert runner.secrets == {"KEY": "hunter2"}
    assert caught.value.output == ("it is ***",)
    assert b"hunter2" not in (ledger.root / "comparisons/1.toml").read_bytes()
    with pytest.raises(InputError, match="KEY has no value"):
        run(ledger, on=on, runner=runner, ids=("v1", "v3"))
    assert runner.calls.count("up") == 2


@pytest.mark.parametrize("wanted", [False, True])
def test_a_release_command_is_run_where_that_is_asked_for(ledger: FileLedger, wanted: bool) -> None:
    """Otherwise it is said that it is not; hooks and checks of fixed addresses are left out."""
    deploy = Deploy(
        timeout=0.5,
        settle=0.0,
        release_command=COMMAND,
        hooks={"before_up": ("false",)},
        checks=(HttpCheck(url="http://localhost:1/"),),
    )
    add(ledger, deploy=deploy)
    on, heard = engine(), Heard()
    runner = Runner(on)
    record = run(
        ledger,
        Asked(release_command=wanted),
        ids=("v1", "v3"),
        on=on,
        runner=runner,
        heard=heard,
    )
    assert runner.calls.count("once") == int(wanted)
    assert ("its release command is not run" in heard.text) is not wanted
    assert record.commands_ran == (("dev/v3",) if wanted else ())
    assert runner.dependencies in (None, True)


def test_a_cancelled_or_changed_release_is_not_run(ledger: FileLedger) -> None:
    """As a run would not."""
    cancelled = Cancellation(
        env="dev",
        release=ledger.release("dev", "v1").link,
        created=NOON,
        actor="ann",
        reason="bad",
    )
    ledger.cancel_release(cancelled)
    with pytest.raises(RunFailed, match="cancelled"):
        run(ledger)
    (ledger.release_folder("dev", "v2") / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(LedgerError, match="was changed after it was sealed"):
        run(ledger, ids=("v2", "v2"))
    assert list(ledger.comparisons()) == []


def test_what_cannot_run_beside_another_is_said_before_anything(ledger: FileLedger) -> None:
    """With every reason; nothing is recorded."""
    add(ledger, {"services": {"web": {"image": PIN.pinned, "network_mode": "host"}}})
    with pytest.raises(RunFailed, match="the host's own network") as caught:
        run(ledger, ids=("v1", "v3"))
    assert caught.value.where == "dev/v3, services.web.network_mode"
    two = {"image": PIN.pinned, "network_mode": "host", "ipc": "host"}
    add(ledger, {"services": {"web": two}})
    with pytest.raises(RunFailed, match="for 2 reasons") as caught:
        run(ledger, ids=("v4", "v1"))
    assert [line.partition(":")[0] for line in caught.value.output] == [
        "services.web.network_mode",
        "services.web.ipc",
    ]
    add(ledger, deploy=Deploy(engine="swarm"))
    with pytest.raises(RunFailed, match="only Compose runs two"):
        run(ledger, ids=("v1", "v5"))
    assert list(ledger.comparisons()) == []


TWO = {
    "services": {
        "web": {"image": PIN.pinned, "ports": [*PORTS, {"target": 443, "published": "8443"}]},
        "admin": {"image": PIN.pinned, "ports": [{"target": 80, "protocol": "tcp"}]},
    }
}
URL = Asked(urls=("/",))


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (Asked(), None),
        (replace(URL, service="admin"), "admin:80"),
        (replace(URL, service="web", port=80), "web:80"),
        (replace(URL, port=8443), "web:443"),
    ],
)
def test_a_port_is_chosen(ledger: FileLedger, asked: Asked, chosen: str | None) -> None:
    """By service, by its number in the container or as it was published."""
    add(ledger, TWO, pins={"web": PIN, "admin": PIN})
    at = platform(ledger, FakeRunner(()), engine())
    decided = plan(("dev", "v3"), ("dev", "v3"), asked, paper(ledger, "v3", "v3"), at)
    found = decided.old.asked_at
    assert (found.name if found else None) == chosen


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (URL, "which port of dev/v3"),
        (Asked(command=("true",)), "which port of dev/v3"),
        (replace(URL, port=80), "which port of dev/v3"),
        (replace(URL, service="wep"), "publishes no TCP port wep"),
        (Asked(port=9), "publishes no TCP port 9"),
        (Asked(command=("nope-at-all",)), "no program 'nope-at-all'"),
    ],
)
def test_a_port_that_cannot_be_chosen(ledger: FileLedger, asked: Asked, says: str) -> None:
    """Says which there are."""
    add(ledger, TWO, pins={"web": PIN, "admin": PIN})
    with pytest.raises(InputError, match=says) as caught:
        run(ledger, asked, ids=("v3", "v3"))
    assert caught.value.hint


def test_a_release_without_ports(ledger: FileLedger) -> None:
    """A command can be run for it, a page cannot be asked for."""
    add(ledger, {"services": {"web": {"image": PIN.pinned}}})
    with pytest.raises(InputError, match="no page of it can be asked for"):
        run(ledger, URL, ids=("v3", "v3"))
    record = run(ledger, Asked(command=("true",)), ids=("v3", "v3"))
    assert (record.old.address, record.old.addresses) == (None, {})


def test_on_an_engine_elsewhere(ledger: FileLedger) -> None:
    """Ports are published on all its addresses, and reached by its name."""
    on = engine(url="ssh://ops@docker.example.com")
    on.local = False
    runner = Runner(on)
    record = run(ledger, Asked(), on=on, runner=runner)
    assert record.old.address == "http://docker.example.com:40000"
    [port] = runner.documents[record.old.project]["services"]["web"]["ports"]
    assert (port["host_ip"], "published" in port) == ("0.0.0.0", False)  # noqa: S104


def a_comparison(**changes: Any) -> Comparison:
    link = Stored(record=a_release(id="v1"), digest="sha256:1").link
    half = ComparedRelease(env="dev", release=link, project="p", document="sha256:2")
    begun = Comparison(
        n=0,
        project="shop",
        outcome="interrupted",
        created=NOON,
        finished=NOON,
        actor="ann",
        old=half,
        new=half,
    )
    return replace(begun, **changes)


def test_numbers_are_taken_and_kept(ledger: FileLedger) -> None:
    """By one process each, also of one that died; the newest is first."""
    first, second = (ledger.begin_comparison(a_comparison()) for _ in range(2))
    assert (first.n, second.n) == (1, 2)
    assert list(ledger.close_interrupted_comparisons()) == []
    stored = second.finish(a_comparison(n=2, outcome="same"))
    assert stored == ledger.comparison(2)
    assert stored.link.id == "2"
    first.close()
    second.close()
    third = ledger.begin_comparison(a_comparison())
    assert list(ledger.close_interrupted_comparisons()) == [1]
    assert third.n == 3
    third.close()
    assert list(ledger.comparisons()) == [2, 1]
    with pytest.raises(InputError, match="no comparison 9"):
        ledger.comparison(9)


def test_a_journal_that_says_nothing_is_kept(ledger: FileLedger) -> None:
    """Out of the way, its number taken."""
    ledger.begin_comparison(a_comparison()).close()
    path = ledger.root / "comparisons/1.journal"
    path.write_text("{")
    assert list(ledger.close_interrupted_comparisons()) == []
    assert path.with_suffix(".unreadable").is_file()
    assert ledger.begin_comparison(a_comparison()).n == 2


def test_a_record_that_was_changed_is_refused(ledger: FileLedger) -> None:
    """As all of them."""
    run(ledger, Asked())
    path = ledger.root / "comparisons/1.toml"
    path.write_text(path.read_text().replace("ann", "bob"))
    with pytest.raises(LedgerError, match="was changed or cut"):
        ledger.comparison(1)
    path.rename(path.with_name("2.toml"))
