"""``inv secrets`` as a person uses it, and what a release takes of it."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stagekit.builtin.age import AgeSecrets
from stagekit.builtin.secrets import EnvironmentSecrets
from stagekit.builtin.sops import SopsSecrets
from stagekit.errors import InputError
from stagekit.events import Noted, Warned
from stagekit.ledger.files import FileLedger
from stagekit.pipeline import secrets as stage
from stagekit.protocols import SecretProvider
from stagekit.records import Deploy
from stagekit.testing.fakes import Heard
from stagekit.testing.project import Outcome
from stagekit.testing.records import a_release
from tests.repository import Repository

SECRET = "hunter2-$hunter2"  # noqa: S105  # a test's own
PROVIDERS: dict[str, SecretProvider] = {
    "age": AgeSecrets({}),
    "sops": SopsSecrets({}),
    "env": EnvironmentSecrets({"STAGEKIT_SECRET_A": SECRET}),
}


@pytest.fixture
def ana(repository: Repository, tmp_path: Path) -> Path:
    """Ana's identity, for which dev's secrets are sealed."""
    path = tmp_path / "ana"
    repository.inv("secrets.keygen", "--env", "dev", "--to", str(path), "--name", "ana")
    repository.environ["STAGEKIT_AGE_IDENTITY"] = str(path)
    return path


def editor(tmp_path: Path, code: str) -> str:
    """An editor that runs ``code`` on the text of its file."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import os, pathlib, sys\npath = pathlib.Path(sys.argv[1])\ntext = path.read_text()\n"
        f"{code}\npath.write_text(text)\n"
    )
    return f"{sys.executable} {script}"


def refused(outcome: Outcome, says: str) -> None:
    assert outcome.code == 2, outcome.text
    assert says in outcome.stderr
    assert SECRET not in outcome.text


def test_an_identity_is_its_owners_alone(repository: Repository, tmp_path: Path) -> None:
    """stdout is the recipient; the key is in a file outside, is printed nowhere and kept."""
    path = tmp_path / "keys" / "ana"
    outcome = repository.inv("secrets.keygen", "--env", "dev", "--to", str(path))
    assert outcome.stdout.startswith("age1")
    assert f"export STAGEKIT_AGE_IDENTITY={path}" in outcome.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "AGE-SECRET-KEY-1" in path.read_text()
    assert "AGE-SECRET-KEY-1" not in outcome.text
    again = repository.attempt("secrets.keygen", "--env", "dev", "--to", str(path))
    refused(again, "there is one already")
    inside = repository.attempt("secrets.keygen", "--env", "dev", "--to", "key")
    refused(inside, "would be committed")
    default = repository.inv("secrets.keygen", "--env", "prod", XDG_CONFIG_HOME=str(tmp_path))
    assert (tmp_path / f"stagekit/{repository.name}-prod.agekey").is_file()
    assert repository.read("environments/prod/secrets.toml").count(default.stdout.strip()) == 1


def test_base_has_secrets_before_it_has_anything_else(
    repository: Repository, tmp_path: Path
) -> None:
    """Its folder is made: no environment needs one."""
    shutil.rmtree(repository.root / "environments/base")
    repository.inv("secrets.keygen", "--env", "base", "--to", str(tmp_path / "key"))
    identity = str(tmp_path / "key")
    done = repository.inv(
        "secrets.set", "A", "-e", "base", stdin="x", STAGEKIT_AGE_IDENTITY=identity
    )
    assert done.stdout == "set A in environments/base/secrets.toml\n"


def test_a_value_comes_from_stdin_and_only_its_entry_changes(
    repository: Repository, ana: Path
) -> None:
    """The end that ``echo`` puts is no part of it; the same value again changes nothing."""
    repository.inv("secrets.set", "ONE", "--env", "dev", stdin=f"{SECRET}\n")
    one = repository.read("environments/dev/secrets.toml")
    again = repository.inv("secrets.set", "ONE", "--env", "dev", stdin=SECRET)
    assert "nothing changed" in again.stderr
    assert repository.read("environments/dev/secrets.toml") == one
    done = repository.inv("secrets.set", "TWO", "--env", "dev", "--exact", stdin="2\n")
    assert done.stdout == "set TWO in environments/dev/secrets.toml\n"
    assert repository.read("environments/dev/secrets.toml").startswith(one)
    assert SECRET not in one


def test_setting_needs_no_identity_and_says_so(repository: Repository, ana: Path) -> None:
    """A machine that may seal need not be able to open."""
    done = repository.inv("secrets.set", "A", "-e", "dev", stdin="x", STAGEKIT_AGE_IDENTITY="")
    assert "counts as changed" in done.stderr


def test_a_list_tells_layers_and_no_value(repository: Repository, ana: Path) -> None:
    """The environment's over base's; without an identity."""
    repository.inv("secrets.set", "SHARED", "--env", "base", stdin=SECRET)
    repository.inv("secrets.set", "BOTH", "--env", "base", stdin=SECRET)
    repository.inv("secrets.set", "BOTH", "--env", "dev", stdin=SECRET)
    outcome = repository.inv("secrets.list", "-e", "dev", "--json", STAGEKIT_AGE_IDENTITY="")
    found = [(item["name"], item["layer"]) for item in outcome.json["secrets"]]
    assert found == [("BOTH", "dev"), ("SHARED", "base")]
    assert list(outcome.json["recipients"]["dev"]) == ["ana"]
    assert "environments/base/secrets.toml" in repository.inv("secrets.list", "-e", "dev").stdout
    assert SECRET not in outcome.text


def test_an_edit_leaves_no_text_behind(repository: Repository, ana: Path, tmp_path: Path) -> None:
    """Several lines included; the folder is its owner's alone, and gone after."""
    pem = "-----BEGIN\n$x\n\\-----END\n"
    repository.inv("secrets.set", "PEM", "--env", "dev", "--exact", stdin=pem)
    repository.inv("secrets.set", "OLD", "--env", "dev", stdin=SECRET)
    seen = tmp_path / "seen"
    code = (
        f"pathlib.Path({str(seen)!r}).write_text(f'{{path}}\\n{{path.parent.stat().st_mode:o}}')\n"
        "(path.parent / 'copy~').write_text(text)\n"
        f"assert {SECRET!r} in text\n"
        "text = text.replace('$x', '$y').replace('OLD', 'NEW')"
    )
    done = repository.inv("secrets.edit", "--env", "dev", EDITOR=editor(tmp_path, code), VISUAL="")
    assert done.stdout.splitlines() == [
        "set NEW in environments/dev/secrets.toml",
        "removed OLD in environments/dev/secrets.toml",
        "changed PEM in environments/dev/secrets.toml",
    ]
    path, mode = seen.read_text().splitlines()
    assert mode == "40700"
    assert not Path(path).parent.exists()
    same = repository.inv(
        "secrets.set", "PEM", "--env", "dev", "--exact", stdin=pem.replace("$x", "$y")
    )
    assert "nothing changed" in same.stderr


def test_what_a_killed_edit_left_goes_with_the_next(
    repository: Repository, ana: Path, tmp_path: Path
) -> None:
    """Its text is in memory until then, where only its owner reads it."""
    seen = tmp_path / "seen"
    kill = f"pathlib.Path({str(seen)!r}).write_text(str(path)); os.kill(os.getppid(), 9)"
    argv = (sys.executable, "-m", "invoke", "secrets.edit", "-e", "dev")
    environ = {**repository.environ, "EDITOR": editor(tmp_path, kill), "VISUAL": ""}
    killed = subprocess.run(argv, cwd=repository.root, env=environ, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    left = Path(seen.read_text())
    assert left.exists()
    assert left.parent.stat().st_mode & 0o077 == 0
    repository.inv("secrets.edit", "--env", "dev", EDITOR="true", VISUAL="")
    assert not left.parent.exists()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("text = 'A = '", "not TOML, nothing changed"),
        ("text = 'A = 1'", "A is a int, nothing changed"),
        ("sys.exit(3)", "ended with 3: nothing changed"),
    ],
)
def test_an_edit_that_goes_wrong_changes_nothing(
    repository: Repository, ana: Path, tmp_path: Path, code: str, says: str
) -> None:
    """And says why."""
    repository.inv("secrets.set", "A", "--env", "dev", stdin=SECRET)
    before = repository.read("environments/dev/secrets.toml")
    command = editor(tmp_path, code)
    refused(repository.attempt("secrets.edit", "-e", "dev", EDITOR=command, VISUAL=""), says)
    assert repository.read("environments/dev/secrets.toml") == before


@pytest.mark.parametrize("mistake", ["B = ", "B = 1", "1b = 'x'", "'not a name' = 'x'", "B = ''"])
def test_a_mistake_in_the_editor_loses_nothing(
    repository: Repository, ana: Path, tmp_path: Path, mistake: str
) -> None:
    """The editor is opened on the same text again, after the mistake was told."""
    code = (
        f"again = 'TYPED' in text\n"
        f"text = text.replace({mistake!r}, '') if again else "
        f"text + 'TYPED = \\'long\\'\\n' + {mistake!r} + '\\n'"
    )
    edited = repository.on_a_terminal(
        "\n", "secrets.edit", "-e", "dev", EDITOR=editor(tmp_path, code), VISUAL=""
    )
    assert edited.code == 0, edited.text
    assert "error:" in edited.text
    assert "set TYPED in environments/dev/secrets.toml" in edited.text


def test_a_mistake_in_the_editor_can_be_left(
    repository: Repository, ana: Path, tmp_path: Path
) -> None:
    """With q nothing is changed, and the text is gone."""
    seen = tmp_path / "seen"
    code = f"pathlib.Path({str(seen)!r}).write_text(str(path))\ntext += 'B = '"
    before = repository.read("environments/dev/secrets.toml")
    left = repository.on_a_terminal(
        "q\n", "secrets.edit", "-e", "dev", EDITOR=editor(tmp_path, code), VISUAL=""
    )
    assert left.code == 2
    assert "not TOML, nothing changed" in left.text
    assert repository.read("environments/dev/secrets.toml") == before
    assert not Path(seen.read_text()).parent.exists()


def test_an_editor_with_an_open_quote_is_said(repository: Repository, ana: Path) -> None:
    """As what it is."""
    outcome = repository.attempt("secrets.edit", "-e", "dev", EDITOR="vim -c 'set", VISUAL="")
    refused(outcome, "vim -c 'set: no closing quotation")
    assert "EDITOR" in outcome.stderr


def test_rotate_names_releases_of_environments_that_are_gone(
    repository: Repository, ana: Path, tmp_path: Path
) -> None:
    """A folder taken out of environments/ leaves its releases, and who can open them."""
    repository.inv("secrets.set", "A", "--env", "dev", stdin=SECRET)
    files = AgeSecrets({}).carried(["A"], [repository.root / "environments/dev"])
    ledger = FileLedger(repository.root / "artifacts")
    ledger.add_release(a_release("gone", secrets=("A",)), {"compose.yaml": b"", **files})
    bob = repository.inv("secrets.keygen", "--env", "prod", "--to", str(tmp_path / "bob")).stdout
    rotated = repository.inv(
        "secrets.rotate", "--env", "dev", "--add", f"bob={bob.strip()}", "--remove", "ana"
    )
    assert "only former recipients can open gone/v1" in rotated.stderr


def test_an_edit_needs_an_identity_and_an_editor(repository: Repository, ana: Path) -> None:
    """Each is said with what to set."""
    missing = repository.attempt("secrets.edit", "-e", "dev", STAGEKIT_AGE_IDENTITY="")
    refused(missing, "editing secrets needs an age identity")
    refused(repository.attempt("secrets.edit", "-e", "dev", EDITOR="no-such", VISUAL=""), "no-such")


def test_secrets_that_another_provider_keeps(repository: Repository) -> None:
    """A file that no release would look at is not written."""
    repository.write("environments/dev/config.toml", '[stagekit]\nsecret_provider = "sops"\n')
    outcome = repository.attempt("secrets.set", "A", "--env", "dev", stdin=SECRET)
    refused(outcome, "are kept by sops")
    begun = repository.attempt("secrets.set", "A", "--env", "prod", stdin=SECRET)
    refused(begun, "there are no secrets yet")
    assert "inv secrets.keygen --env prod" in begun.stderr


def layers(root: Path, *files: str) -> list[Path]:
    found = []
    for file in files:
        path = root / "environments" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        if path.parent not in found:
            found.append(path.parent)
    return found


def test_the_provider_is_the_one_whose_file_is_there(tmp_path: Path) -> None:
    """A setting beats it; without a file it is the environment; of two it is asked which."""
    assert Deploy().secret_provider == "auto"  # noqa: S105  # a name
    assert stage.chosen("auto", layers(tmp_path / "1", "base/secrets.toml", "dev/x")) == "age"
    sealed = layers(tmp_path / "2", "base/x", "dev/secrets.sops.json")
    assert stage.chosen("auto", sealed) == "sops"
    assert stage.chosen("env", sealed) == "env"
    assert stage.chosen("auto", layers(tmp_path / "3", "base/x", "dev/x")) == "env"
    with pytest.raises(InputError, match="secrets of two providers") as caught:
        stage.chosen("auto", layers(tmp_path / "4", "base/secrets.sops.json", "dev/secrets.toml"))
    assert caught.value.where == "environments/dev/config.toml"


def test_a_release_says_what_a_person_should_know(repository: Repository, ana: Path) -> None:
    """A secret that no template uses, one that docker shows, and one that there is not."""
    for name in ("FILE", "VARIABLE", "LEFT"):
        repository.inv("secrets.set", name, "--env", "dev", stdin=SECRET)
    dev = repository.root / "environments/dev"
    source, heard = stage.find_source("auto", [dev], PROVIDERS.__getitem__), Heard()
    model = {
        "services": {"web": {"environment": {"A": "${STAGEKIT_SECRET_VARIABLE}"}}},
        "secrets": {"file": {"environment": "FILE"}},
    }
    carried = stage.take(source, model, heard)
    assert heard.events == [
        Warned("secrets that no template uses: LEFT (dev)"),
        Noted("docker inspect shows secrets in variables: VARIABLE"),
    ]
    assert list(carried) == ["secrets.toml"]
    with pytest.raises(
        InputError, match=r"no secret FILES in environments/dev/secrets\.toml"
    ) as no:
        stage.take(source, {"services": {}, "secrets": {"x": {"environment": "FILES"}}}, heard)
    assert "did you mean FILE?" in str(no.value.hint)


def test_a_run_asks_the_provider_that_sealed() -> None:
    """Of a release without secrets nobody is asked; a refusal names the release."""
    find = PROVIDERS.__getitem__
    none = a_release(id="v1", deploy=Deploy(secret_provider="gone"))
    assert stage.values(none, {}, find) == {}
    release = a_release(id="v1", secrets=("A",), deploy=Deploy(secret_provider="env"))
    assert stage.values(release, {}, find) == {"A": SECRET}
    age = a_release(id="v1", secrets=("A",), deploy=Deploy(secret_provider="age"))
    with pytest.raises(InputError, match="carries no secret A") as caught:
        stage.values(age, {}, find)
    assert caught.value.where == "prod/v1, secrets.toml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ('{"A": "x"}', "not sealed by SOPS"),
        ('{"A": {}, "sops": {}}', "A is not"),
    ],
)
def test_a_store_that_sops_did_not_seal(tmp_path: Path, text: str, says: str) -> None:
    """No release is made of it: clear text would be in it."""
    (tmp_path / "secrets.sops.json").write_text(text)
    with pytest.raises(InputError, match=says):
        SopsSecrets({}).names([tmp_path])


def test_secrets_that_are_set_at_once_are_all_set(ana: Path, repository: Repository) -> None:
    """Each process reads what the one before it wrote."""
    assert ana.is_file()
    names = [f"KEY_{number}" for number in range(6)]

    def put(name: str) -> None:
        repository.inv("secrets.set", name, "--env", "dev", stdin="x")

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(put, names))
    listed = repository.inv("secrets.list", "--env", "dev", "--json").json["secrets"]
    assert [item["name"] for item in listed] == names
