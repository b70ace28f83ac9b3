"""What every `stagekit.protocols.Engine` keeps, but for its leases (`LeaseContract`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import pytest

from stagekit.cancel import Cancel
from stagekit.containers import CheckedBuild
from stagekit.errors import LimitExceeded, RegistryError, StagekitError
from stagekit.events import ignore
from stagekit.protocols import Engine
from stagekit.records import Standing
from stagekit.testing.contracts.capability import Capable, needs
from stagekit.testing.contracts.containers import ContainerCases, wait_for
from stagekit.testing.records import NOON, sha

_LIMIT = 60.0
_CODE = 7
_A_WHILE = 1.0


class EngineContract(ContainerCases, Capable):
    """Inherit it, and give the fixtures ``engine``, ``image`` and ``repository``, and the method
    ``start``. What it leaves on the engine goes by ``remove``.

    Attributes:
        runs_commands: whether a container that is started runs. False for a stand-in, which runs
            nothing: what it says of commands and containers is what it was given.
    """

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine that is looked at."""
        raise NotImplementedError("give a fixture `engine` that returns an Engine")

    @pytest.fixture
    def image(self) -> str:
        """An image that it has, with a shell."""
        raise NotImplementedError("give a fixture `image` that names an image with a shell")

    @pytest.fixture
    def repository(self) -> str:
        """A repository of a registry that it can push to."""
        raise NotImplementedError("give a fixture `repository` such as 127.0.0.1:5000/contract")

    def remove(self, engine: Engine, *, images: Sequence[str], volumes: Sequence[str]) -> None:
        """Take images off the engine by these names, and volumes by the start of theirs."""
        raise NotImplementedError("give a method `remove` that removes images and volumes by name")

    @pytest.fixture
    def reference(self, engine: Engine, repository: str) -> Iterator[str]:
        """A name for an image that nobody else uses."""
        reference = f"{repository}:{token_hex(4)}"
        yield reference
        self.remove(engine, images=[reference], volumes=[])

    @pytest.fixture
    def project(self, engine: Engine) -> Iterator[str]:
        """A project that nobody else has."""
        project = f"contract{token_hex(4)}"
        yield project
        self.remove(engine, images=[], volumes=[f"stagekit-state-{project}-"])

    @pytest.fixture
    def build(self, engine: Engine) -> Iterator[CheckedBuild]:
        """A build that checks are for; what is left of them goes."""
        build = CheckedBuild(project=f"contract{token_hex(4)}", id="b1", by=token_hex(8))
        yield build
        engine.remove_checks(build.project, lambda _: True)

    def test_it_says_what_it_is(self, engine: Engine) -> None:
        """Its facts stand in records, and its environment leads Docker's own programs to it."""
        facts = engine.facts()
        assert facts.id
        assert facts.platform.startswith("linux/")
        assert {"DOCKER_HOST", "DOCKER_CONTEXT"} & set(engine.environment())
        scheme, _, rest = engine.url.partition("://")
        assert scheme in {"unix", "tcp", "http", "https", "ssh", "npipe"}
        assert rest
        assert isinstance(engine.local, bool)
        free = engine.free_disk()
        assert free is None or free > 0

    def test_an_image_that_is_not_there_is_none(self, engine: Engine, image: str) -> None:
        """And one that is there has an id and a size."""
        assert engine.image(f"stagekit-contract-{token_hex(8)}:1") is None
        found = engine.image(image)
        assert found is not None
        assert found.id.startswith("sha256:")
        assert found.size > 0

    def test_what_is_pushed_has_the_digest_that_the_registry_answers(
        self, engine: Engine, image: str, repository: str, reference: str
    ) -> None:
        """And can be pulled by it."""
        engine.tag(image, reference)
        pushed = engine.push(reference, emit=ignore, cancel=Cancel())
        assert engine.registry_digest(reference) == pushed
        pin = f"{repository}@{pushed}"
        engine.pull(pin, emit=ignore, cancel=Cancel())
        found = engine.image(pin)
        assert found is not None
        assert pin in found.digests

    def test_a_tag_is_one_more_name_of_the_same_image(
        self, engine: Engine, image: str, reference: str
    ) -> None:
        """Whatever else it is called."""
        engine.tag(image, reference)
        assert _id(engine, reference) == _id(engine, image)

    def test_what_is_saved_is_loaded_under_the_same_id(
        self, engine: Engine, image: str, reference: str, tmp_path: Path
    ) -> None:
        """On an engine that does not have it any more as on one that never had."""
        engine.tag(image, reference)
        id, archive = _id(engine, reference), tmp_path / "image.tar"
        engine.save(id, archive, cancel=Cancel())
        self.remove(engine, images=[reference], volumes=[])
        assert engine.image(reference) is None
        engine.load(archive, cancel=Cancel())
        assert _id(engine, id) == id

    def test_a_registry_that_does_not_have_it_is_an_error(
        self, engine: Engine, repository: str
    ) -> None:
        """Of the registry, and not a digest of nothing; it says that it is not there."""
        with pytest.raises(RegistryError) as raised:
            engine.registry_digest(f"{repository}:{token_hex(8)}")
        assert raised.value.missing

    @needs("runs_commands")
    def test_a_check_ends_with_its_exit_code(
        self, engine: Engine, image: str, build: CheckedBuild
    ) -> None:
        """Each of its lines is told; one that takes too long is stopped."""
        lines: list[str] = []

        def check(command: str, limit: float) -> int:
            return engine.check(
                image,
                ("sh", "-c", command),
                entrypoint=(),
                build=build,
                limit=limit,
                on_line=lines.append,
                cancel=Cancel(),
            )

        assert check(f"echo looking; exit {_CODE}", _LIMIT) == _CODE
        assert lines == ["looking"]
        with pytest.raises(LimitExceeded):
            check("sleep 600", 1.0)

    @needs("runs_commands")
    def test_a_check_is_removed_by_who_makes_its_build(
        self, engine: Engine, image: str, build: CheckedBuild
    ) -> None:
        """What another process is at stays, whether its build is known here or not."""
        lines: list[str] = []
        with ThreadPoolExecutor(1) as pool:
            checked = pool.submit(
                engine.check,
                image,
                ("sh", "-c", "echo looking; exec sleep 600"),
                entrypoint=(),
                build=build,
                limit=_LIMIT,
                on_line=lines.append,
                cancel=Cancel(),
            )
            wait_for(lambda: lines == ["looking"])
            engine.remove_checks(build.project, lambda by: by != build.by)
            assert wait([checked], _A_WHILE).not_done
            engine.remove_checks(build.project, lambda by: by == build.by)
            with suppress(StagekitError):  # gone, or ended by force, as the engine has it
                assert checked.result(_LIMIT) != 0

    def test_placed_files_have_one_place(self, engine: Engine, image: str) -> None:
        """The same content lies in the same folder each time, whoever puts it there."""
        files = {f"{token_hex(16)}/motd": b"hello\n"}
        folder = engine.place(files, executable=(), image=image)
        assert engine.place(files, executable=(), image=image) == folder == engine.files_folder()

    def test_what_is_in_force_is_kept_for_those_without_records(
        self, engine: Engine, project: str
    ) -> None:
        """Written in place of what was, and read as it was written; others have none of it."""
        assert engine.standing(f"{project}-prod") is None
        for n in (1, 2):
            standing = _standing(project, n)
            engine.keep_standing(standing)
            assert engine.standing(f"{project}-prod") == standing
        assert engine.standing(f"{project}-dev") is None

    def test_of_a_project_that_nobody_ran_there_is_nothing(self, engine: Engine) -> None:
        """Neither containers nor volumes."""
        nobody = f"contract{token_hex(8)}"
        assert engine.containers(nobody) == ()
        assert engine.volumes(nobody) == ()


def _id(engine: Engine, name: str) -> str:
    found = engine.image(name)
    assert found is not None
    return found.id


def _standing(project: str, n: int) -> Standing:
    return Standing(
        project=project,
        env="prod",
        run=n,
        outcome="running",
        reason="run",
        release=f"v{n}",
        release_digest=sha(f"release {n}"),
        build="b1",
        actor="ann@laptop",
        when=NOON,
    )
