"""TAB, in real shells, and what the scripts are answered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

import stagekit
from stagekit.cli.task import USUAL, Kind
from stagekit.ledger.files import FileLedger
from stagekit.records import HostRun
from stagekit.testing.project import clean_environment
from stagekit.testing.records import NOON, PIN, a_build, ran, released
from tests.repository import Repository
from tests.shells import SHELLS, Shell, shell
from tests.test_contract import HEAVY, LIST, loaded

PLAIN = "from invoke import task\n@task\ndef own(c, name):\n    print(1)\n"
SECRETS = (
    'schema = 1\nkey = "k"\n[recipients]\nana = "age1"\n'
    '[secrets.API_KEY]\nfingerprint = "f"\nage = "a"\n'
)


def fill(repository: Repository) -> Repository:
    """Record what can be completed: builds, releases, runs, secrets."""
    ledger = FileLedger(repository.root / "artifacts")
    for hours, id in enumerate(("b1", "b2")):
        build = a_build(id, created=NOON + timedelta(hours=hours))
        ledger.reserve_build(build).finish(build)
    released(ledger, "prod", pins={"web": PIN, "worker": PIN})
    released(ledger, "prod", pins={"web": PIN, "redis": PIN})
    released(ledger, "dev")
    b, a, gone = (HostRun(name=name, url=f"ssh://{name}") for name in "bac")
    ran(ledger, "v1", hosts=(b, a), left=(gone,))
    repository.write("environments/prod/secrets.toml", SECRETS)
    return repository


@pytest.fixture
def filled(repository: Repository) -> Repository:
    return fill(repository)


def answer(repository: Repository, line: str, cwd: Path | None = None) -> list[str]:
    """What zsh is answered at the end of a line, without explanations: ``TEXT``, and ``TEXT…``
    where more follows."""
    words = line.split(" ")
    asked = ("completion", "zsh", "--candidates", "--", *words)
    outcome = repository.attempt(*asked, cwd=cwd)
    assert (outcome.code, outcome.stderr) == (0, ""), outcome.text
    rows = [row.split("\t") for row in outcome.stdout.splitlines()]
    return [f"{row[1]}…" if row[0] == "part" else row[-1 if len(row) == 1 else 1] for row in rows]


# what the scripts are answered


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("inv release -e ", "dev prod"),
        ("inv release --env ", "dev prod"),
        ("inv release --env=", "--env=dev --env=prod"),
        ("inv build release -ep", "-edev -eprod"),
        ("inv release.promote --from ", "dev prod"),
        ("inv release.promote --from dev --to ", "dev prod"),
        ("inv secrets.list --env ", "dev prod base"),
        ("inv release --build ", "b2 b1"),
        ("inv build.show ", "b2 b1 latest"),
        ("inv build.log b", "b2 b1 latest"),
        ("inv build --progress ", "auto plain"),
        ("inv run --env prod --release ", "v2 v1"),
        ("inv run --release ", "v1 v2"),
        ("inv run --env prod --release prod/", "prod/v2 prod/v1"),
        ("inv run.rollback -e prod --to ", "v2 v1"),
        ("inv release.promote --from dev --release ", "v1"),
        ("inv release.show ", "dev/… prod/…"),
        ("inv release.show prod/", "prod/v2 prod/v1 prod/latest prod/current prod/previous"),
        ("inv release.diff dev/v1 dev/", "dev/v1 dev/latest dev/current dev/previous dev/running"),
        ("inv release.verify dev/", "dev/v1 dev/latest dev/current dev/previous"),
        ("inv release.cancel nope/", ""),
        ("inv release.cancel ../", ""),
        ("inv run.show prod/", "prod/1"),
        ("inv run.logs -e prod --service ", "redis web"),
        ("inv run.logs -e prod -s web,", "web,redis"),
        ("inv run.exec web -e prod --host ", "a b c"),
        ("inv run.stop -e dev --host ", ""),
        ("inv run.scale -e prod --set ", "redis=… web=…"),
        ("inv run.scale -e prod --set web=", ""),
        ("inv run.exec ", "redis web"),
        ("inv run.once --env dev ", "web"),
        ("inv secrets.set ", "API_KEY"),
        ("inv secrets.rotate -e prod --remove ", "ana"),
        ("inv secrets.keygen --to ", "file"),
        ("inv run --plan-file=x", "file"),
        ("inv run.exec web -e dev -- ", "file"),
        ("inv release.explain -e dev --key ", "GREETING"),
        ("inv release -e dev --set ", "GREETING=…"),
        ("inv release -e dev --set GREETING=", ""),
        ("inv completion ", "bash zsh fish"),
        ("inv release --message ", ""),
        ("inv release --confirm ", ""),
        ("inv --list-format ", "flat nested json"),
        ("inv --list ", "build release run secrets ledger engine"),
        ("inv -r ", "folder"),
        ("inv -r . run -e ", "dev prod"),
        ("inv -c nope run -e ", ""),
        ("inv run.stop --", "--env --host --gone --wait-lock --json"),
        ("inv run.stop -", "--env -e --host --gone --wait-lock --json"),
        ("inv run.stop --json -e dev --", "--host --gone --wait-lock"),
        ("inv secrets.rotate --add a -e dev --", "--add --remove --json"),
        ("inv release.show prod/v1 --", "--json"),
        ("inv build --he", "--help"),
        ("inv build --nope=", ""),
    ],
)
def test_what_can_stand_there(filled: Repository, line: str, expected: str) -> None:
    """Names, flags that were not given yet, and values, the newest first."""
    assert answer(filled, line) == expected.split()


def test_tasks_are_named_as_people_name_them(filled: Repository) -> None:
    """``build`` and not ``build.new``; each says what it does; own tasks are among them."""
    filled.write(
        "tasks.py",
        "import stagekit\nfrom invoke import task\n"
        "print('hello')\n"
        "@task(aliases=['other'])\ndef own(c, env):\n    '''Do own.'''\n"
        "ns = stagekit.collection(own)\n",
    )
    shown = filled.inv("completion", "fish", "--candidates", "--", "inv", "").stdout
    assert shown.startswith("hello\nword\t")  # a line that means nothing to the scripts
    rows = dict(line.split("\t")[1:] for line in shown.splitlines()[1:])
    assert {"build", "build.why", "release", "run", "run.exec", "own", "other"} <= set(rows)
    assert "build.new" not in rows
    assert rows["own"] == "Do own."
    assert answer(filled, "inv own --env ")[1:] == ["dev", "prod"]


def test_another_folders_tasks(filled: Repository, tmp_path: Path) -> None:
    """Values are those of the repository whose tasks are called."""
    other = Repository.create(tmp_path / "other", clean_environment())
    assert answer(other, f"inv -r {filled.root} build.show ") == ["b2", "b1", "latest"]
    other.write("plain.py", PLAIN)
    assert answer(other, "inv -c plain ") == ["own"]


def test_of_ten_thousand_releases_the_newest_are_shown(repository: Repository) -> None:
    """And what a shell would type for all of them is no more than they share."""
    for number in range(1, 2001):
        (repository.root / f"artifacts/releases/prod/v{number}").mkdir(parents=True)
    found = answer(repository, "inv release.show prod/")
    assert (len(found), found[0], found[99]) == (101, "prod/v2000", "prod/v1901")
    assert found[100] == "prod/v999" or not found[100].startswith("prod/v1")
    assert answer(repository, "inv release.show prod/v155")[:2] == ["prod/v1559", "prod/v1558"]


def test_a_name_that_a_shell_would_run_is_none(filled: Repository) -> None:
    """Folders can be called anything."""
    for name in ("$(touch x)", "a b", "x;y", "-\x1b[31m"):
        filled.write(f"environments/{name}/config.toml", "")
    assert answer(filled, "inv run -e ") == ["dev", "prod"]


def test_what_cannot_be_read_has_no_values(filled: Repository) -> None:
    """And says nothing: the person is typing."""
    filled.write("artifacts/releases/prod/v2/release.toml", "damaged")
    filled.write("environments/prod/secrets.toml", "damaged")
    filled.write("pyproject.toml", "damaged [")
    assert answer(filled, "inv run.exec --env prod ") == []
    assert answer(filled, "inv secrets.set ") == []
    assert answer(filled, "inv release.explain -e dev -k ") == []
    assert answer(filled, "inv run -e ") == ["dev", "prod"]


def test_nothing_is_written(filled: Repository) -> None:
    """Not even the end of a build whose process is gone."""
    journal = filled.write("artifacts/builds/b3.journal", "")
    before = {path: path.stat().st_mtime_ns for path in filled.root.rglob("*")}
    assert "b1" in answer(filled, "inv build.show ")
    assert {path: path.stat().st_mtime_ns for path in filled.root.rglob("*")} == before
    assert journal.exists()


def test_every_kind_of_value_is_one_of_a_task(filled: Repository) -> None:
    """None is left without meaning, and each argument that a task gives one has it."""
    namespace = stagekit.collection(root=filled.root)
    usual = ("environment", "build", "id", "service", "task", "group", "folder", "host")
    found: set[object] = set(usual)
    for name in namespace.task_names:
        task = namespace[name]
        arguments = {argument.names[0]: argument for argument in task.get_arguments()}
        for argument, kind in task.values.items():
            if kind != USUAL.get(argument):
                assert arguments[argument].takes_value, f"{name} --{argument}"
                found.add(kind if isinstance(kind, str) else "words")
    assert found - {"words"} == set(get_args(Kind))


def test_an_unknown_shell_is_named(repository: Repository) -> None:
    """With those there are."""
    wrong = repository.attempt("completion", "fsh")
    assert (wrong.code, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: no script for 'fsh'\n  next: did you mean fish?\n"


def test_debug_shows_what_went_wrong(repository: Repository) -> None:
    """For whoever mends it; else nothing is said of it."""
    asked = ("completion", "bash", "--candidates", "--", "one word too few")
    assert repository.inv(*asked).text == ""
    assert "Traceback" in repository.attempt(*asked, STAGEKIT_DEBUG="1").stderr


@pytest.mark.parametrize(
    "line", ["inv ", "inv release -e ", "inv run.exec ", "inv release.show prod/", "inv build --"]
)
def test_tab_loads_nothing_heavy(filled: Repository, line: str) -> None:
    """No SDK, no templates, no terminal library."""
    asked = ("completion", "zsh", "--candidates", "--", *line.split(" "))
    heavy = set(HEAVY) - {"yaml"}  # Invoke looks for it by itself
    assert heavy & set(loaded(LIST, filled.root, *asked)) == set()


# real shells


@pytest.fixture(scope="module", params=SHELLS)
def name(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("shells")
    return fill(Repository.create(folder / "repository", clean_environment()))


@pytest.fixture(scope="module")
def at_tab(name: str, place: Repository) -> Iterator[Shell]:
    """A shell in the repository, with the script that ``inv completion`` prints."""
    script = place.inv("completion", name).stdout
    with shell(name, script, place.root, place.environ, place.root.parent / name) as started:
        yield started


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("inv release.pro", "inv release.promote X"),
        ("invoke completion z", "invoke completion zsh X"),
        ("stagekit run --en", "stagekit run --env X"),
        ("inv release --env p", "inv release --env prod X"),
        ("inv release --env=p", "inv release --env=prod X"),
        ("inv release -ep", "inv release -eprod X"),
        ('inv release --env "p', "inv release --env prod X"),
        ("inv release --env='p", "inv release --env=prod X"),
        ("inv build release --env d", "inv build release --env dev X"),
        ("inv release.show d", "inv release.show dev/X"),
        ("inv release.show prod/v2", "inv release.show prod/v2 X"),
        ("inv release --message 'it is' --env p", "inv release --message it is --env prod X"),
        ("inv release -e dev --set G", "inv release -e dev --set GREETING=X"),
        ("inv run --plan-file pyp", "inv run --plan-file pyproject.toml X"),
        ("inv run --plan-file=pyp", "inv run --plan-file=pyproject.toml X"),
        ("inv run.exec web --env dev -- pyp", "inv run.exec web --env dev -- pyproject.toml X"),
        ("inv -r ap", "inv -r app/X"),
        ("inv release --message p", "inv release --message pX"),
        ("inv nonsense", "inv nonsenseX"),
    ],
)
def test_tab(at_tab: Shell, typed: str, words: str) -> None:
    """The word is completed, with a blank after it where it is whole, and nothing else."""
    assert " ".join(at_tab.line(typed)) == words


def test_tab_shows_what_there_is(name: str, place: Repository, tmp_path: Path) -> None:
    """Where there is a choice; with what each does, where the shell shows such."""
    script = place.inv("completion", name).stdout
    with shell(name, script, place.root, place.environ, tmp_path / "home") as started:
        shown = started.listed("stagekit build release.", "release.diff.*release.prune")
        assert ("Show what is different" in shown) == (name != "bash")


def test_tab_in_other_folders(name: str, place: Repository, tmp_path: Path) -> None:
    """Of tasks without stagekit, Invoke's own names; where there are none, nothing; no errors."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/tasks.py").write_text(PLAIN)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/tasks.py").write_text("raise SystemExit('broken')\n")
    script = place.inv("completion", name).stdout
    with shell(name, script, tmp_path, place.environ, tmp_path / "home") as started:
        for folder, typed, words in (
            ("plain", "inv ow", "inv own X"),
            ("plain", "stagekit ow", "stagekit own X"),
            ("broken", "inv rele", "inv releX"),
            (".", "inv rele", "inv releX"),
            (".", "inv release --env ", "inv release --env X"),
            (".", "stagekit release.pro", "stagekit release.promote X"),
            (".", "stagekit release --env ", "stagekit release --env X"),
        ):
            started.enter(f"cd {tmp_path / folder}")
            assert " ".join(started.line(typed)) == words, (folder, typed)


@pytest.mark.parametrize("breaks", [r"""$' \t\n"\'><=;|&(:'""", r"""$' \t\n"\'><;|&('"""])
def test_words_that_bash_splits(place: Repository, tmp_path: Path, breaks: str) -> None:
    """At ``=`` and ``:``, unless its user says otherwise: the words stay whole."""
    stamp = place.root / "artifacts/releases/dev/2026-04-06-203217"
    stamp.mkdir(exist_ok=True)
    script = f"{place.inv('completion', 'bash').stdout}\nCOMP_WORDBREAKS={breaks}\n"
    try:
        with shell("bash", script, place.root, place.environ, tmp_path / "home") as started:
            assert started.line("inv release --env=p")[2:] == ["--env=prod", "X"]
            typed = "inv release.show dev/2026-04-06-20:3"
            assert started.line(typed)[2:] == ["dev/2026-04-06-20:32:17", "X"]
            assert started.line("inv run --release=dev/2026-04-06-20:")[2:] == [
                *("--release=dev/2026-04-06-20:32:17", "X")
            ]
    finally:
        stamp.rmdir()


def test_zsh_finds_it_by_its_name(place: Repository, tmp_path: Path) -> None:
    """As ``_stagekit`` in a folder of ``$fpath``, which costs a new shell nothing."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    (tmp_path / "_stagekit").write_text(place.inv("completion", "zsh").stdout)
    rc = f"fpath=({tmp_path} $fpath)\ncompinit -u\n"
    with shell("zsh", rc, place.root, place.environ, tmp_path / "home") as started:
        assert started.line("inv release --env p")[2:] == ["--env", "prod", "X"]
        assert started.line("inv release --env d")[2:] == ["--env", "dev", "X"]
