"""Projects with images, and builds of them on the stand-ins."""

from __future__ import annotations

from pathlib import Path

from stagekit.cancel import Cancel
from stagekit.inputs.bases import BaseImages
from stagekit.inputs.fingerprint import ImageInputs
from stagekit.inputs.project import Project, load_project
from stagekit.ledger.files import FileLedger
from stagekit.pipeline import build as stage
from stagekit.pipeline.known import inputs_before, known_images
from stagekit.pipeline.presence import Presence
from stagekit.pipeline.sources import read_all_inputs
from stagekit.protocols import Ledger
from stagekit.records import CI, Build, Source, Stored
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import FakeBuilder, Heard

SOURCE = Source(commit="c" * 40, branch="main")
GOCD = CI(name="gocd", pipeline="shop", counter="7")


def a_project(
    root: Path, registry: str = "registry.test", images: str = "web api", settings: str = ""
) -> Project:
    """A project with one folder and Dockerfile per image; ``settings`` stand first."""
    text = f'[tool.stagekit]\nname = "shop"\n{settings}\n'
    for name in images.split():
        (root / name).mkdir(exist_ok=True)
        (root / name / "Dockerfile").write_text("FROM scratch\n")
        table = f"[tool.stagekit.images.{name}]"
        text += f'{table}\ncontext = "{name}"\n' if table not in settings else ""
    (root / "pyproject.toml").write_text(text)
    return load_project(root, {"STAGEKIT_REGISTRY": registry} if registry else {})


def made_from(project: Project, engine: FakeEngine | None = None) -> dict[str, ImageInputs]:
    """What the project's images are made from now."""
    memory = project.cache / "bases.json"
    bases = BaseImages(engine or FakeEngine(), memory, fresh=False, emit=Heard(), cancel=Cancel())
    return read_all_inputs(project, builder="fake", bases=bases)


def decided(
    project: Project,
    engine: FakeEngine | None = None,
    *,
    wanted: str = "shop-7",
    source: Source = SOURCE,
    force: bool = False,
    heard: Heard | None = None,
) -> stage.Plan:
    """The plan of a build of the project as it stands, with the builds that are in its ledger."""
    engine, ledger = engine or FakeEngine(), FileLedger(project.artifacts)
    inputs = made_from(project, engine)
    presence = Presence(engine, emit=heard or Heard(), cancel=Cancel())
    known, lacking = known_images(inputs, ledger=ledger, presence=presence)
    return stage.decide(
        stage.Facts(
            project=project,
            source=source,
            ci=GOCD,
            wanted_id=wanted,
            actor="ann@laptop",
            inputs=inputs,
            before=inputs_before(ledger),
            known=known,
            lacking=lacking,
            force=force,
        )
    )


def applied(
    plan: stage.Plan,
    project: Project,
    engine: FakeEngine,
    *,
    heard: Heard | None = None,
    cancel: Cancel | None = None,
    fail_fast: bool = False,
    builder: FakeBuilder | None = None,
    ledger: Ledger | None = None,
    **faults: object,
) -> Stored[Build]:
    """What the plan makes; ``faults`` are `FakeBuilder`'s."""
    return stage.apply(
        plan,
        engine=engine,
        builder=builder or FakeBuilder(engine, **faults),  # type: ignore[arg-type]
        ledger=ledger or FileLedger(project.artifacts),
        inputs_now=lambda: made_from(project, engine),
        fail_fast=fail_fast,
        emit=heard if heard is not None else Heard(),
        cancel=cancel or Cancel(),
    )


def recorded(project: Project) -> Build:
    """The one build in the ledger."""
    ledger = FileLedger(project.artifacts)
    [id] = ledger.builds()
    return ledger.build(id).record
