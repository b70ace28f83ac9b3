"""What was sealed is the same for each version of Compose, and values arrive by each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.engine.compose import Compose
from stagekit.engine.documents import Document
from stagekit.inputs.document import parse
from stagekit.inputs.seal import model_of
from tests.composes import VERSIONS, compose_of
from tests.hostile import VALUES
from tests.releasing import plan_of, write

PROJECT = {
    "pyproject.toml": '[tool.stagekit]\nname = "shop"\n',
    "environments/prod/config.toml": "[vars]\n",
    "environments/prod/files/a.conf": "a\n",
    "templates/compose.yaml.j2": (
        "services:\n  web:\n    image: ${IMAGE_WEB}\n"
        "    volumes: ['./environments/prod/files/a.conf:/a.conf', 'data:/data']\n"
        "    configs: [{source: page, target: /page, mode: 0440}]\n"
        "    environment:\n"
        + "".join(
            f"      M{n}: {{{{ V{n} | yaml }}}}\n      C{n}: ${{V{n}}}\n"
            for n in range(len(VALUES))
        )
        + "configs: {page: {content: 'x'}}\nvolumes: {data: {}}\n"
    ),
}


@pytest.fixture(scope="module")
def composes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Compose]:
    return {name: compose_of(name, tmp_path_factory.mktemp("compose")) for name in VERSIONS}


@pytest.fixture(params=VERSIONS)
def compose(request: pytest.FixtureRequest, composes: dict[str, Compose]) -> Compose:
    return composes[request.param]


def a_project(root: Path) -> Path:
    import tomli_w

    write(root, PROJECT)
    config = root / "environments/prod/config.toml"
    config.write_bytes(
        b"[vars]\n" + tomli_w.dumps({f"V{n}": value for n, value in enumerate(VALUES)}).encode()
    )
    return root


def read_again(compose: Compose, text: bytes, folder: Path) -> dict[str, Any]:
    output = compose.config(
        [Document(text=text.decode(), where="compose.yaml")],
        name="shop-prod",
        folder=folder,
        variables={},
        cancel=Cancel(),
        warn=lambda _: None,
    )
    return model_of(output)


def test_values_are_sealed_as_they_were(compose: Compose, tmp_path: Path) -> None:
    """By Jinja and by ``${}``; and read back by the same Compose as they are."""
    text = plan_of(a_project(tmp_path), compose=compose).files["compose.yaml"]
    for document in (parse(text), read_again(compose, text, tmp_path)):
        web = document["services"]["web"]
        for number, value in enumerate(VALUES):
            for form in "MC":
                assert web["environment"][f"{form}{number}"] == value.replace("$", "$$"), value
        assert web["configs"][0]["mode"] in (0o440, "0440")


def test_what_one_sealed_the_others_read_alike(
    compose: Compose, composes: dict[str, Compose], tmp_path: Path
) -> None:
    """The machine that runs a release may have another Compose than the one that made it."""
    text = plan_of(a_project(tmp_path), compose=compose).files["compose.yaml"]
    read = []
    for other in composes.values():
        model = read_again(other, text, tmp_path)
        web = model["services"]["web"]
        web["configs"][0]["mode"] = octal(web["configs"][0]["mode"])
        # Older ones do not write what is no: it is so by default in the long form of a mount.
        assert web["volumes"][0]["bind"].pop("create_host_path", False) is False
        read.append(model)
    assert read[0] == read[1] == read[2]


def octal(mode: int | str) -> int:
    """Newer ones write a mode in octal digits."""
    return int(mode, 8) if isinstance(mode, str) else mode
