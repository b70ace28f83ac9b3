"""Fingerprints: everything an image is made from changes them, and nothing else does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stagekit.images import BuildSecret, ImageSpec
from stagekit.inputs.fingerprint import (
    ImageInputs,
    changes,
    decode_inputs,
    encode_inputs,
    read_inputs,
)

BASE = "sha256:" + "0" * 64
NAMES = st.sampled_from(["a", "b", "d/a", "d/e/a", "ä", "a b", ".env", "z.log"])
TREES = st.dictionaries(NAMES, st.binary(max_size=4), max_size=5)


def a_spec(root: Path, **changed: object) -> ImageSpec:
    context = root / "web"
    context.mkdir(exist_ok=True)
    if not (context / "Dockerfile").exists():
        (context / "Dockerfile").write_text("FROM base:1\nCOPY . .\n")
    given: dict[str, object] = {
        "name": "web",
        "context": context,
        "dockerfile": context / "Dockerfile",
        "repositories": ("web",),
        "tags": (),
        "hidden": ("artifacts",),
    }
    return ImageSpec(**{**given, **changed})  # type: ignore[arg-type]


def inputs_of(spec: ImageSpec, *, builder: str = "buildx", base: str | None = BASE) -> ImageInputs:
    index = spec.context.parent / "web.index"
    return read_inputs(spec, builder=builder, base_digest=lambda _: base, index=index)


def print_of(spec: ImageSpec, **given: str | None) -> str:
    return inputs_of(spec, **given).fingerprint  # type: ignore[arg-type]


def written(root: Path, tree: dict[str, bytes]) -> ImageSpec:
    spec = a_spec(root)
    for name, content in tree.items():
        path = spec.context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return spec


@given(TREES, TREES)
def test_two_trees_have_one_fingerprint_if_and_only_if_they_are_equal(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    """Wherever they lie, in whichever order they were written, whenever."""
    with TemporaryDirectory() as here, TemporaryDirectory() as there:
        first = written(Path(here), one)
        second = written(Path(there), dict(reversed(other.items())))
        os.utime(second.context / "Dockerfile", (1, 1))
        assert (print_of(first) == print_of(second)) == (one == other)


@given(TREES, NAMES, st.binary(max_size=4))
def test_a_change_is_named(tree: dict[str, bytes], name: str, content: bytes) -> None:
    """The words say what happened to the one file, and nothing is said where nothing did."""
    with TemporaryDirectory() as folder:
        spec = written(Path(folder), tree)
        before = inputs_of(spec)
        written(Path(folder), {name: content})
        said = changes(before, inputs_of(spec))
        if tree.get(name) == content:
            assert said == ()
        else:
            assert said == (f"{name} {'changed' if name in tree else 'added'}",)


def test_an_ignored_file_changes_nothing(tmp_path: Path) -> None:
    """Nor does what the project hides from every context."""
    spec = a_spec(tmp_path)
    (spec.context / ".dockerignore").write_text("*.log\n")
    before = print_of(spec)
    (spec.context / "x.log").write_text("1")
    (spec.context / "artifacts").mkdir()
    (spec.context / "artifacts/b1.toml").write_text("1")
    assert print_of(spec) == before
    (spec.context / ".dockerignore").write_text("*.txt\n")
    assert print_of(spec) != before


SETTINGS: list[dict[str, object]] = [
    {"args": {"A": "1"}},
    {"args": {"A": "2"}},
    {"args": {"B": "1"}},
    {"labels": {"A": "1"}},
    {"target": "final"},
    {"platforms": ("linux/arm64",)},
    {"platforms": ("linux/arm64", "linux/amd64")},
    {"secrets": (BuildSecret(id="x", variable="X"),)},
    {"ssh": ("default",)},
    {"provenance": "min"},
    {"sbom": "true"},
    {"epoch": 0},
]


def test_every_setting_counts(tmp_path: Path) -> None:
    """No two of them make the same image."""
    prints = [print_of(a_spec(tmp_path, **setting)) for setting in ({}, *SETTINGS)]
    prints += [print_of(a_spec(tmp_path), builder="classic"), print_of(a_spec(tmp_path), base=None)]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize(
    "change",
    [
        {"cache_from": ("x",), "cache_to": ("y",)},
        {"tags": ("b1",)},
        {"repositories": ("registry.test/web",)},
        {"name": "other"},
    ],
)
def test_what_makes_no_other_image_does_not_count(
    tmp_path: Path, change: dict[str, object]
) -> None:
    """Caches, names and tags; and not the moment of a commit, only that there is one."""
    assert print_of(a_spec(tmp_path, **change)) == print_of(a_spec(tmp_path))
    assert print_of(a_spec(tmp_path, epoch=1)) == print_of(a_spec(tmp_path, epoch=2))


def test_a_secrets_value_is_in_no_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would tell who guesses whether the guess is right."""
    spec = a_spec(tmp_path, secrets=(BuildSecret(id="x", variable="X"),))
    monkeypatch.setenv("X", "1")
    before = print_of(spec)
    monkeypatch.setenv("X", "2")
    assert print_of(spec) == before


def test_a_dockerfile_outside_the_context_counts(tmp_path: Path) -> None:
    """Also one that .dockerignore names."""
    other = tmp_path / "other.Dockerfile"
    other.write_text("FROM a\n")
    spec = a_spec(tmp_path, dockerfile=other)
    before = inputs_of(spec)
    other.write_text("FROM a\nRUN x\n")
    assert changes(before, inputs_of(spec)) == ("../other.Dockerfile changed",)


def test_which_file_is_the_dockerfile_counts(tmp_path: Path) -> None:
    """Of several that all travel; so that nothing is built anew for having been called as usual,
    that one is not named."""
    spec = written(tmp_path, {"Dockerfile.prod": b"FROM base:1\nCOPY prod .\n", "ops/b": b"1"})
    others = [spec.context / "Dockerfile.prod", spec.context / "ops/b"]
    prints = [print_of(replace(spec, dockerfile=file)) for file in (spec.dockerfile, *others)]
    assert len(set(prints)) == 3
    usual, other = inputs_of(spec), inputs_of(replace(spec, dockerfile=others[0]))
    assert usual.settings == {"builder": "buildx"}
    assert changes(usual, other) == ("dockerfile changed",)


def test_a_mode_counts_and_a_time_does_not(tmp_path: Path) -> None:
    """``chmod +x`` makes another image, ``touch`` and a copy with the same content do not."""
    spec = written(tmp_path, {"run.sh": b"1"})
    before, path = print_of(spec), spec.context / "run.sh"
    os.utime(path, (1, 1))
    assert print_of(spec) == before
    shutil.copy2(path, tmp_path / "copy")
    (tmp_path / "copy").replace(path)
    assert print_of(spec) == before
    path.chmod(0o755)
    assert print_of(spec) != before


EMPTY = ImageInputs(settings={"builder": "buildx"}, bases={"base:1": BASE}, files={"a": "100644 1"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda i: i, ()),
        (lambda i: replace(i, files={}), ("a removed",)),
        (lambda i: replace(i, files={"a": "100755 1"}), ("a changed",)),
        (lambda i: replace(i, files={**i.files, "d": "40755", "d/x": "1"}), ("d/x added",)),
        (lambda i: replace(i, files={**i.files, "d": "40755"}), ("d added",)),
        (lambda i: replace(i, bases={"base:1": "sha256:1"}), ("base image base:1 changed",)),
        (lambda i: replace(i, settings={"builder": "classic"}), ("builder changed",)),
        (
            lambda i: replace(i, settings={**i.settings, "argument A": "1"}),
            ("argument A added",),
        ),
    ],
)
def test_changes_in_words(
    change: Callable[[ImageInputs], ImageInputs], said: tuple[str, ...]
) -> None:
    """What, and what happened to it."""
    assert changes(EMPTY, change(EMPTY)) == said


def test_without_a_build_before_that_is_the_reason() -> None:
    """Nothing to compare with."""
    assert changes(None, EMPTY) == ("not built before",)


def test_inputs_are_read_as_they_were_written() -> None:
    """And damaged ones are none."""
    data = encode_inputs({"web": EMPTY})
    assert decode_inputs(data) == {"web": EMPTY}
    assert decode_inputs(data)["web"].fingerprint == EMPTY.fingerprint
    assert decode_inputs(data[:-5]) == {}
    assert decode_inputs(b"") == {}
