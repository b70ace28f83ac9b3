"""Bills of materials, where no image has to be looked through."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from stagekit.builtin.sbom import Sbom, written
from stagekit.cancel import Cancel
from stagekit.errors import InputError
from stagekit.events import Done
from stagekit.inputs.extending import SbomSettings
from stagekit.ledger.files import FileLedger
from stagekit.records import Build, Stored
from stagekit.testing.engine import FakeEngine
from stagekit.testing.fakes import Heard
from stagekit.testing.records import a_build, sha
from tests.repository import Repository


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sbom:
    """One on a machine without Syft."""
    monkeypatch.setattr("stagekit.builtin.sbom.find_program", lambda *_: None)
    return Sbom(SbomSettings(), tmp_path / "artifacts", Cancel())


def stored(build: Build) -> Stored[Build]:
    return Stored(record=build, digest=sha("build"))


def test_what_an_older_build_made_is_not_looked_through_again(writer: Sbom) -> None:
    """Its bill is that one's, byte for byte; of several images only the new ones take time."""
    before, build = a_build("b1"), a_build("b2")
    [(name, image)] = build.images.items()
    older = writer.path("b1", name)
    older.parent.mkdir(parents=True)
    older.write_bytes(b"{}")
    taken_over = replace(build, images={name: replace(image, made_by=before.id)})
    heard = Heard()
    writer.stagekit_built(stored(taken_over), FakeEngine(), heard, {})
    assert writer.path("b2", name).read_bytes() == b"{}"
    done = heard.events[-1]
    assert isinstance(done, Done)
    assert done.outcome.startswith(f"artifacts/sboms/b2/{name}.cdx.json  sha256:44136fa355b3")
    assert list(written(older.parents[2], "b2")) == [writer.path("b2", name)]


def test_without_syft_it_is_said(writer: Sbom) -> None:
    """The build is there; what to install, and to type then, is told, by doctor as well."""
    with pytest.raises(InputError, match="Syft is not installed") as caught:
        writer.stagekit_built(stored(a_build("b1")), FakeEngine(), Heard(), {})
    assert str(caught.value.hint).endswith("then inv sbom b1")
    [finding] = writer.stagekit_doctor({})
    assert (finding.found, finding.needed) == (False, False)
    assert "stagekit[sbom]" in str(finding.hint)


def test_a_build_without_images_has_none(repository: Repository) -> None:
    """As one that failed."""
    slot = FileLedger(repository.root / "artifacts").reserve_build(a_build("b1"))
    slot.finish(a_build("b1", status="failed", images={}))
    refused = repository.attempt("sbom", "b1")
    assert refused.code == 2
    assert "build b1 failed: it has no images" in refused.stderr
