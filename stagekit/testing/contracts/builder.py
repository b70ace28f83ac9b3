"""What every `stagekit.protocols.Builder` keeps."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

import pytest

from stagekit.cancel import Cancel
from stagekit.errors import BuildFailed, Cancelled
from stagekit.events import Output
from stagekit.images import ImageSpec
from stagekit.protocols import Builder, Engine
from stagekit.testing.fakes import Heard


class BuilderContract:
    """Inherit it, and give the fixtures ``builder``, ``engine`` and ``base_image``.

    Attributes:
        runs_commands: whether the steps of a Dockerfile are run. False for a stand-in, which prints
            them as they are written, and fails for the image that is called ``broken``.
    """

    runs_commands = True

    @pytest.fixture
    def builder(self) -> Builder:
        """The builder that is looked at."""
        raise NotImplementedError("give a fixture `builder` that returns a Builder")

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine that it builds on."""
        raise NotImplementedError("give a fixture `engine` that returns an Engine")

    @pytest.fixture
    def base_image(self) -> str:
        """An image that is on the engine and has a shell."""
        raise NotImplementedError("give a fixture `base_image` that names an image with a shell")

    @pytest.fixture
    def spec(self, tmp_path: Path, base_image: str) -> ImageSpec:
        """An image that no cache has, of which a line prints."""
        fresh = f"ENV CONTRACT={token_hex(8)}"
        return image_spec(tmp_path, f"FROM {base_image}\n{fresh}\nRUN echo built by $((40 + 2))\n")

    def test_it_has_a_name_and_a_version(self, builder: Builder) -> None:
        """They stand in the record."""
        assert builder.name
        assert builder.version

    def test_what_is_built_is_on_the_engine(
        self, builder: Builder, engine: Engine, spec: ImageSpec
    ) -> None:
        """Under each of its references, with the id that is returned."""
        id = builder.build(spec, emit=Heard(), cancel=Cancel())
        for reference in spec.references:
            found = engine.image(reference)
            assert found is not None
            assert found.id == id

    def test_every_line_is_told(self, builder: Builder, spec: ImageSpec) -> None:
        """As an `Output` of the image."""
        heard = Heard()
        builder.build(spec, emit=heard, cancel=Cancel())
        said = [event for event in heard.events if isinstance(event, Output)]
        line = "built by 42" if self.runs_commands else "RUN echo built by"
        assert any(line in event.line for event in said)
        assert {event.subject for event in said} == {spec.name}

    def test_a_step_that_fails_is_named(
        self, builder: Builder, engine: Engine, tmp_path: Path, base_image: str
    ) -> None:
        """With its last lines; and no image is left under the names."""
        spec = image_spec(tmp_path, f"FROM {base_image}\nRUN echo no luck; exit 3\n", "broken")
        with pytest.raises(BuildFailed) as caught:
            builder.build(spec, emit=Heard(), cancel=Cancel())
        assert caught.value.where
        assert any("no luck" in line for line in caught.value.output)
        assert all(engine.image(reference) is None for reference in spec.references)

    def test_it_stops_when_it_is_told_to(self, builder: Builder, spec: ImageSpec) -> None:
        """Nothing is built of what was called off."""
        cancel = Cancel()
        cancel.request()
        with pytest.raises(Cancelled):
            builder.build(spec, emit=Heard(), cancel=cancel)

    def test_of_a_plain_image_it_lacks_nothing(self, builder: Builder, spec: ImageSpec) -> None:
        """What it lacks is asked before anything is built."""
        assert builder.lacks(spec) == ()


def image_spec(folder: Path, dockerfile: str, name: str = "contract") -> ImageSpec:
    """Return what there is to build of a Dockerfile, in a new folder below ``folder``, under names
    that nobody else uses."""
    context = folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(dockerfile)
    return ImageSpec(
        name=name,
        context=context,
        dockerfile=context / "Dockerfile",
        repositories=(f"stagekit-contract-{token_hex(8)}",),
        tags=("1", "latest"),
    )
