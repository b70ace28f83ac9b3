"""The argv of buildx, to the letter."""

from __future__ import annotations

from pathlib import Path

from stagekit.engine import commands
from stagekit.images import BuildSecret, ImageSpec

BUILDX = Path("/bin/docker-buildx")
DOCKERFILE = Path("/tmp/x/Dockerfile")
PLAIN = ("/bin/docker-buildx", "build", "--progress", "plain", "--file", "/tmp/x/Dockerfile")


def an_image(**changes: object) -> ImageSpec:
    given: dict[str, object] = {
        "name": "app",
        "context": Path("/project/app"),
        "dockerfile": Path("/project/app/Dockerfile"),
        "repositories": ("r.test/app",),
        "tags": ("1", "latest"),
    }
    return ImageSpec(**{**given, **changes})  # type: ignore[arg-type]


def test_buildx_is_asked_for_its_version_and_its_builder() -> None:
    """It is called directly, without the docker command."""
    assert commands.buildx_version(BUILDX) == ("/bin/docker-buildx", "version")
    assert commands.buildx_inspect(BUILDX) == ("/bin/docker-buildx", "inspect")


def test_what_an_image_does_not_set_is_no_flag() -> None:
    """It is loaded, named, and attested nothing."""
    assert commands.buildx_build(BUILDX, an_image(), dockerfile=DOCKERFILE) == (
        *PLAIN,
        *("--load", "--tag", "r.test/app:1", "--tag", "r.test/app:latest"),
        "--provenance=false",
        "/project/app",
    )


def test_every_setting_is_a_flag() -> None:
    """In an order that does not change; a secret's value is in none of them."""
    image = an_image(
        tags=("1",),
        target="final",
        args={"B": "2 $x", "A": "1"},
        labels={"team": "x y"},
        platforms=("linux/amd64", "linux/arm64"),
        secrets=(
            BuildSecret(id="npm", variable="NPM_TOKEN"),
            BuildSecret(id="key", file=Path("/k")),
        ),
        ssh=("default",),
        cache_from=("type=registry,ref=r.test/cache",),
        cache_to=("type=inline",),
        provenance="max",
        sbom="true",
    )
    assert commands.buildx_build(BUILDX, image, dockerfile=DOCKERFILE) == (
        *PLAIN,
        *("--load", "--tag", "r.test/app:1", "--provenance=mode=max", "--sbom=true"),
        *("--target", "final", "--platform", "linux/amd64,linux/arm64"),
        *("--build-arg", "A=1", "--build-arg", "B=2 $x", "--label", "team=x y"),
        *("--secret", "id=npm,env=NPM_TOKEN", "--secret", 'id=key,"src=/k"', "--ssh", "default"),
        *("--cache-from", "type=registry,ref=r.test/cache", "--cache-to", "type=inline"),
        "/project/app",
    )


def test_a_reproducible_image_is_exported_with_the_times_of_its_commit() -> None:
    """``SOURCE_DATE_EPOCH`` for what BuildKit writes, rewritten times for what steps wrote."""
    argv = commands.buildx_build(
        BUILDX, an_image(epoch=1775433600), dockerfile=DOCKERFILE, archive=Path("/tmp/x/image.tar")
    )
    assert "SOURCE_DATE_EPOCH=1775433600" in argv
    assert "--load" not in argv
    assert argv[argv.index("--output") + 1] == (
        'type=oci,"name=r.test/app:1,r.test/app:latest","dest=/tmp/x/image.tar",'
        "rewrite-timestamp=true"
    )
