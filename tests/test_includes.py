"""Which .env files Compose would read for what a document includes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.inputs.includes import files_read


def put(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def refused(text: str, root: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        files_read(text, root, where="compose.yaml", variables={})
    return caught.value


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("include: [sub/a]\n", "sub"),
        ("include: ['sub/a']\n", "sub"),
        ("include:\n  - path: sub/a\n", "sub"),
        ("include:\n  - path: [other/b, sub/a]\n", "sub"),
        ("include:\n  - {path: other/b, project_directory: sub}\n", "sub"),
        ("include: [other/b]\n", "deep"),
        ("services: !reset {}\ninclude: [sub/a]\n", "sub"),
    ],
)
def test_a_stray_env_file_is_found(tmp_path: Path, text: str, at: str) -> None:
    """However the include is written, and however deep."""
    put(tmp_path, sub__a="services: {}\n", other__b="include: [../deep/c]\n", deep__c="x-a: 1\n")
    files_read(text, tmp_path, where="compose.yaml", variables={})
    put(tmp_path / at, **{".env": "A=1\n"})
    assert f"{at}/.env" in refused(text, tmp_path).what


def test_one_that_says_which_is_left(tmp_path: Path) -> None:
    """`env_file` in the include is the author's own word."""
    put(tmp_path, sub__a="services: {}\n")
    put(tmp_path / "sub", **{".env": "A=1\n"})
    files_read(
        "include: [{path: sub/a, env_file: /dev/null}]\n",
        tmp_path,
        where="compose.yaml",
        variables={},
    )


def test_files_that_include_each_other_come_to_an_end(tmp_path: Path) -> None:
    """Twice each, they would be read a million times."""
    put(tmp_path, a="include: [b, b]\n", b="include: [a, a, b]\n")
    files_read("include: [a, a]\n", tmp_path, where="compose.yaml", variables={})


def test_merge_keys_are_not_followed(tmp_path: Path) -> None:
    """Doubled thirty times, they would fill the memory."""
    lines = ["x0: &x0 {a: 1, include: 1}"]
    lines += [f"x{n}: &x{n}\n  <<: [*x{n - 1}, *x{n - 1}]" for n in range(1, 31)]
    files_read("\n".join(lines), tmp_path, where="compose.yaml", variables={})


@pytest.mark.parametrize("text", ["", "include:\n", "include: 1\n", "include: [1, [x], {}]\n", "["])
def test_what_is_no_include_is_left_to_compose(tmp_path: Path, text: str) -> None:
    """It says what is wrong."""
    files_read(text, tmp_path, where="compose.yaml", variables={})


OUTSIDE = [
    ("services: {web: {env_file: PATH}}", "services.web.env_file"),
    ("services: {web: {env_file: [in.env, PATH]}}", "services.web.env_file"),
    ("services: {web: {env_file: [{path: PATH, required: false}]}}", "services.web.env_file"),
    ("services: {web: {label_file: PATH}}", "services.web.label_file"),
    ("services: {web: {extends: {file: PATH, service: a}}}", "services.web.extends"),
    ("include: [PATH]", "include"),
    ("include: [{path: [in.env, PATH], env_file: /dev/null}]", "include"),
    ("include: [{path: in.env, env_file: PATH}]", "include"),
    ("include: [{path: in.env, env_file: /dev/null, project_directory: .}, PATH]", "include"),
    ("configs: {page: {file: PATH}}", "configs.page.file"),
    ("secrets: {KEY: {file: PATH}}", "secrets.KEY.file"),
    ("x-a: &a {env_file: PATH}\nservices: {web: {<<: *a}}", "services.web.env_file"),
    ("x-a: &a {env_file: PATH}\nservices: {web: {<<: [{}, *a]}}", "services.web.env_file"),
    ("services: {web: {}}\n---\nservices: {db: {env_file: PATH}}", "services.db.env_file"),
]


@pytest.mark.parametrize(("text", "key"), OUTSIDE)
@pytest.mark.parametrize("path", ["../out.env", "sub/../../out.env", "ABSOLUTE", "link", "${UP}"])
def test_a_file_outside_the_project_is_refused(
    tmp_path: Path, text: str, key: str, path: str
) -> None:
    """However it is named: on the next machine, another file lies there."""
    root = tmp_path / "p"
    put(tmp_path, **{"out.env": "A=1\n"})
    put(root, **{"in.env": "# nothing\n", "sub__a": "x"})
    (root / "link").symlink_to(tmp_path / "out.env")
    path = path.replace("ABSOLUTE", str(tmp_path / "out.env"))
    with pytest.raises(InputError, match="lies outside the project") as caught:
        files_read(
            f"x-first: 1\n{text}\n".replace("PATH", f"'{path}'"),
            root,
            where="compose.yaml",
            variables={"UP": "../out.env"},
        )
    line = 2 + text[: text.index("PATH")].count("\n")
    assert caught.value.where == f"compose.yaml:{line}, {key}"
    assert caught.value.hint


@pytest.mark.parametrize(("text", "_key"), OUTSIDE)
@pytest.mark.parametrize(
    "path", ["in.env", "./sub/../in.env", "ABSOLUTE", "inner", "${UP:-in.env}"]
)
def test_a_file_of_the_project_is_none(tmp_path: Path, text: str, _key: str, path: str) -> None:
    """Links in it, and paths that come back to it, count as it."""
    put(tmp_path, **{"in.env": "# nothing\n", "sub__a": "x"})
    (tmp_path / "inner").symlink_to("in.env")
    path = path.replace("ABSOLUTE", str(tmp_path / "in.env"))
    files_read(text.replace("PATH", f"'{path}'"), tmp_path, where="compose.yaml", variables={})


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("include: [sub/more.yaml]", "sub/more.yaml:3"),
        ("include: [{path: sub/more.yaml, env_file: /dev/null}]", "sub/more.yaml:3"),
        ("services: {web: {extends: {file: sub/more.yaml, service: more}}}", "sub/more.yaml:3"),
    ],
)
def test_a_file_that_is_taken_in_is_looked_at_too(tmp_path: Path, text: str, where: str) -> None:
    """Its paths start at its own folder, the error says its line."""
    root = tmp_path / "p"
    more = "services:\n  more:\n    env_file: {}\n"
    put(root, **{"a.env": "A=1\n", "sub__more.yaml": more.format("../a.env")})
    files_read(text, root, where="compose.yaml", variables={})
    put(root, **{"sub__more.yaml": more.format("../../a.env")})
    assert str(refused(text, root).where).startswith(where)


def test_paths_start_where_the_include_says(tmp_path: Path) -> None:
    """`project_directory` moves them."""
    put(tmp_path / "p", **{"sub__more.yaml": "services: {more: {env_file: ../a.env}}\n"})
    entry = "include: [{path: sub/more.yaml, project_directory: ., env_file: /dev/null}]"
    assert "outside" in refused(entry, tmp_path / "p").what


def test_a_path_that_an_env_file_could_change_is_refused(tmp_path: Path) -> None:
    """What is in that file only Compose knows."""
    put(tmp_path, **{"a.env": "", "sub__b": "services: {more: {env_file: '${WHERE:-x}'}}\n"})
    files_read("include: [sub/b]", tmp_path, where="compose.yaml", variables={})
    error = refused("include: [{path: sub/b, env_file: a.env}]", tmp_path)
    assert "depends on an env_file" in error.what
    assert "WHERE" in (error.hint or "")


@pytest.mark.parametrize(
    "path", ["https://example.com/x.git", "oci://example.com/x", "git@x:y.git"]
)
def test_nothing_is_fetched(tmp_path: Path, path: str) -> None:
    """What it holds today, it may not hold tomorrow."""
    assert "not a file of the project" in refused(f"include: ['{path}']", tmp_path).what


def test_the_line_is_that_of_the_template(tmp_path: Path) -> None:
    """Rendering has moved the document's lines."""
    source = "{% if x %}\n{% endif %}\nservices: {web: {env_file: ../a}}\n"
    with pytest.raises(InputError) as caught:
        files_read(
            "services: {web: {env_file: ../a}}\n",
            tmp_path,
            where="compose.yaml.j2",
            variables={},
            source=source,
        )
    assert caught.value.where == "compose.yaml.j2:3, services.web.env_file"
