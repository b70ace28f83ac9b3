"""[tool.stagekit] of pyproject.toml: read strictly, with every mistake named by its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagekit.errors import InputError
from stagekit.inputs.names import check_name
from stagekit.inputs.project import Project, load_project


def load(root: Path, text: str, **environ: str) -> Project:
    (root / "pyproject.toml").write_text(text, "utf-8")
    return load_project(root, environ)


def refusal(root: Path, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load(root, text)
    return caught.value


def test_every_setting_is_read(tmp_path: Path) -> None:
    """A full table arrives as the Project's attributes."""
    (tmp_path / "web").mkdir()
    project = load(
        tmp_path,
        '[tool.stagekit]\nname = "shop"\nregistry = "registry.test:5000/team/"\n'
        'builder = "buildx"\n'
        'template = "deploy/app.yaml"\n'
        '[tool.stagekit.images.web]\ncontext = "web"\ndockerfile = "Dockerfile.web"\n'
        'repository = "front/web"\ntarget = "final"\nargs = { A = "1" }\n',
    )
    image = project.images["web"]
    assert (project.name, project.registries) == ("shop", ("registry.test:5000/team",))
    assert (project.builder, project.templates) == ("buildx", (tmp_path / "deploy/app.yaml",))
    assert (image.context, image.dockerfile, image.target) == ("web", "Dockerfile.web", "final")
    assert image.args == {"A": "1"}
    assert project.repositories("web") == ("registry.test:5000/team/front/web",)


def test_without_a_registry_a_repository_is_the_images_name(tmp_path: Path) -> None:
    """A trial on one machine needs no registry."""
    assert load(tmp_path, "[tool.stagekit.images.web]\n").repositories("web") == ("web",)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[tool.stagekit]\nname = "a"\n[project]\nname = "b"\n', "a"),
        ('[project]\nname = "My.App"\n', "my-app"),
        ("", "folder"),
    ],
)
def test_the_name_falls_back_to_the_project_and_the_folder(
    tmp_path: Path, text: str, name: str
) -> None:
    """stagekit's own name goes before the distribution's, that before the folder's."""
    root = tmp_path / "folder"
    root.mkdir()
    assert load(root, text).name == name


def test_a_folder_without_pyproject_is_a_project(tmp_path: Path) -> None:
    """Listing tasks and doctor work before anything is configured."""
    root = tmp_path / "shop"
    root.mkdir()
    assert load_project(root, {}).images == {}


def test_the_environment_beats_the_file_for_the_registry(tmp_path: Path) -> None:
    """CI says where it pushes without editing the repository; an empty value says nothing."""
    text = '[tool.stagekit]\nname = "a"\nregistry = "one.test"\n'
    assert load(tmp_path, text, STAGEKIT_REGISTRY="two.test/, three.test").registries == (
        "two.test",
        "three.test",
    )
    assert load(tmp_path, text, STAGEKIT_REGISTRY="").registries == ("one.test",)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[tool.stagekit]\nnme = 'x'\n", "[tool.stagekit]", "unknown setting `nme`"),
        (
            "[tool.stagekit]\nname = 3\n",
            "[tool.stagekit]",
            "name: it should be a string, and is an integer",
        ),
        ("[tool.stagekit]\nname = 'a b'\n", "[tool.stagekit] name", "'a b'"),
        ("[tool.stagekit]\nname = '-a'\n", "[tool.stagekit] name", "'-a'"),
        ("[tool.stagekit]\nregistry = 'http://x'\n", "[tool.stagekit] registry", "'http://x'"),
        ("[tool.stagekit]\ntemplate = '../x'\n", "[tool.stagekit] template", "outside"),
        ("[tool.stagekit.images.web]\ncontxt = 'x'\n", "images.web]", "unknown setting `contxt`"),
        ("[tool.stagekit.images.web]\ncontext = '..'\n", "images.web] context", "'..'"),
        ("[tool.stagekit.images.web]\ncontext = '/'\n", "images.web] context", "'/'"),
        ("[tool.stagekit.images.web]\ncontext = 'no'\n", "images.web] context", "'no'"),
        ("[tool.stagekit.images.web]\nrepository = 'A'\n", "images.web] repository", "'A'"),
        (
            "[tool.stagekit.images.web]\nargs = { A = 1 }\n",
            "images.web]",
            "should be a string, and is an integer",
        ),
        ("[tool.stagekit.images.Web]\n", "images.Web]", "'Web'"),
    ],
)
def test_every_mistake_names_its_key(tmp_path: Path, text: str, where: str, what: str) -> None:
    """A wrong setting is one line: the file, the table, the key, what is wrong."""
    if "name" not in text:
        text = "[project]\nname = 'shop'\n" + text
    error = refusal(tmp_path, text)
    assert error.where is not None
    assert error.where.startswith("pyproject.toml")
    assert where in error.where
    assert what in error.what


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("[tool.stagekit]\n\nnme = 'x'\n", "pyproject.toml:3 [tool.stagekit]", "mean name?"),
        ("[tool.stagekit]\nzzz = 'x'\n", "pyproject.toml:2 [tool.stagekit]", "name, "),
        ("[tool.stagekit.images]\nweb.contxt = 'x'\n", "pyproject.toml:2 ", "mean context?"),
        ("[tool.stagekit.images.web]\nargs.A = 1\n", "pyproject.toml:2 ", None),
        ("[tool.stagekit.images.web.secrets.x]\nenvv = 'A'\n", "pyproject.toml:2 ", None),
        ("[tool.stagekit]\nchecks.x = { runn = 'a' }\n", "pyproject.toml:2 ", "mean run?"),
    ],
)
def test_a_wrong_setting_is_shown_with_its_line(
    tmp_path: Path, text: str, where: str, hint: str | None
) -> None:
    """And with the one that may have been meant, or all there are."""
    error = refusal(tmp_path, text)
    assert (error.where or "").startswith(where)
    assert hint is None or hint in (error.hint or "")


def test_two_images_of_one_variable_are_refused(tmp_path: Path) -> None:
    """``${IMAGE_MY_APP}`` could only be one of them; both are named."""
    text = "[project]\nname = 'shop'\n[tool.stagekit.images.{}]\n[tool.stagekit.images.{}]\n"
    error = refusal(tmp_path, text.format("my-app", "my_app"))
    assert error.what == "images my-app and my_app would both be ${IMAGE_MY_APP}"
    assert error.where == "pyproject.toml [tool.stagekit.images]"
    assert set(load(tmp_path, text.format("my-app", "myapp")).images) == {"my-app", "myapp"}


@pytest.mark.parametrize("folder", ["artifacts", "environments", "environments/prod"])
def test_a_context_that_is_no_source_is_refused(tmp_path: Path, folder: str) -> None:
    """A build knows neither records nor environments."""
    (tmp_path / folder).mkdir(parents=True)
    text = f"[project]\nname = 'a'\n[tool.stagekit.images.web]\ncontext = '{folder}'\n"
    error = refusal(tmp_path, text)
    assert "is no source" in error.what
    assert error.where == "pyproject.toml [tool.stagekit.images.web] context"


def test_a_registry_with_credentials_is_refused_without_repeating_them(tmp_path: Path) -> None:
    """They would stand in every record."""
    error = refusal(tmp_path, "[tool.stagekit]\nname='a'\nregistry = 'ann:hunter2@r.test'\n")
    assert "no credentials" in error.what
    assert "hunter2" not in f"{error} {error.hint}"


@pytest.mark.parametrize("name", ["tool", "project"])
def test_a_value_where_a_table_should_be_is_said(tmp_path: Path, name: str) -> None:
    """Another tool's mistake in the same file is one line, too."""
    assert refusal(tmp_path, f"{name} = 1\n").what == f"{name} is not a table"


def test_a_context_that_a_link_leads_out_of_is_refused(tmp_path: Path) -> None:
    """A build's source is in the repository, also by way of symbolic links."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "web").symlink_to(tmp_path / "outside")
    error = refusal(root, "[project]\nname = 'a'\n[tool.stagekit.images.web]\ncontext = 'web'\n")
    assert error.where is not None
    assert error.where.endswith("context")


def test_broken_toml_is_said_with_its_file(tmp_path: Path) -> None:
    """A syntax error is an input error with the file's path."""
    error = refusal(tmp_path, "[tool\n")
    assert error.where == str(tmp_path / "pyproject.toml")


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["compose.yaml", "compose.yaml.j2"], "compose.yaml.j2"),
        (["compose.yaml", "docker-compose.yml"], "compose.yaml"),
        (["docker-compose.yml"], "docker-compose.yml"),
        ([], "compose.yaml.j2"),
    ],
)
def test_the_template_is_found_by_its_usual_names(
    tmp_path: Path, there: list[str], chosen: str
) -> None:
    """A repository that has a compose file adopts stagekit by moving it."""
    (tmp_path / "templates").mkdir()
    for name in there:
        (tmp_path / "templates" / name).touch()
    project = load(tmp_path, "[project]\nname = 'a'\n")
    assert project.templates == (tmp_path / "templates" / chosen,)


def test_a_path_is_shown_as_one_types_it(tmp_path: Path) -> None:
    """Paths in the project are relative in messages, others whole."""
    project = load(tmp_path, "[project]\nname = 'a'\n")
    assert project.relative(tmp_path / "templates/x") == "templates/x"
    assert project.relative(Path("/etc/x")) == "/etc/x"


@pytest.mark.parametrize("name", ["a", "0", "a-b_c", "a" * 63])
def test_plain_names_are_taken(name: str) -> None:
    """What fits a path, a label and an image reference alike is a name."""
    check_name(name, "a thing", "here")


@pytest.mark.parametrize("name", ["", "A", "-a", "_a", "a.b", "a/b", "a\n", "ä", "a" * 64])
def test_other_names_are_refused(name: str) -> None:
    """What would break one of them is none; not even with a line's end behind it."""
    with pytest.raises(InputError):
        check_name(name, "a thing", "here")
