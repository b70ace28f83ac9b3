"""Sealed secrets: what is set is what opens, for its recipients alone, and tells nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stagekit.builtin.age import AgeSecrets
from stagekit.errors import InputError
from stagekit.inputs import age
from stagekit.inputs.near import known_names
from stagekit.inputs.secrets import (
    FILE,
    Sealed,
    SecretsFile,
    carried_by,
    encode_secrets,
    fingerprints,
    read_secrets,
)
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.sealing import Store, begin, next_recipients, releases_where, store_of
from stagekit.testing.fakes import Heard
from stagekit.testing.records import a_release

ANA, BOB = age.new_identity(), age.new_identity()
RECIPIENTS = {"ana": str(ANA.to_public())}
BOTH = {**RECIPIENTS, "bob": str(BOB.to_public())}
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def filled(**values: str) -> SecretsFile:
    return begin(RECIPIENTS, FILE).with_values(values)


def opened(file: SecretsFile, identity: object = ANA) -> Store:
    return store_of(file, FILE, (identity,))  # type: ignore[arg-type]


def at(folder: Path, file: SecretsFile) -> Path:
    """Put a file where an environment has it; returns the environment's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(encode_secrets(file, folder.name))
    return folder


def environ(identity: object = ANA) -> dict[str, str]:
    return {age.VARIABLE: str(identity)}


@given(
    values=st.dictionaries(
        st.from_regex(r"[A-Za-z_]\w{0,9}", fullmatch=True).filter(str.isascii), VALUES, max_size=4
    )
)
def test_what_is_set_is_what_a_release_opens(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]
) -> None:
    """Through the file, the release and back; the bytes in between have no value in them."""
    folder = at(tmp_path_factory.mktemp("e") / "prod", filled(**values))
    provider = AgeSecrets(environ())
    assert set(provider.names([folder])) == set(values)
    carried = provider.carried(values, [folder])
    assert provider.values(list(values), carried) == values
    assert set(fingerprints(carried)) == set(values)


def test_a_release_carries_what_it_uses_as_it_stood(tmp_path: Path) -> None:
    """Byte for byte the same each time, the strongest layer's, and of others nothing."""
    base = at(tmp_path / "base", filled(SHARED="s", ONE="weak", UNUSED="u"))
    prod = at(tmp_path / "prod", filled(ONE="strong", TWO="t"))
    provider = AgeSecrets(environ())
    carried = provider.carried(["SHARED", "ONE"], [base, prod])
    assert carried == provider.carried(["ONE", "SHARED"], [base, prod])
    assert provider.values(["SHARED", "ONE"], carried) == {"SHARED": "s", "ONE": "strong"}
    document = carried_by(carried)
    assert {name: item.layer for name, item in document.secrets.items()} == {
        "ONE": "prod",
        "SHARED": "base",
    }
    assert document.secrets["ONE"].age == read(prod).secrets["ONE"].age
    assert list(AgeSecrets({}).carried(["TWO"], [base, prod])) == [FILE]
    assert list(carried_by(AgeSecrets({}).carried(["TWO"], [base, prod])).layers) == ["prod"]
    assert AgeSecrets({}).carried([], [base, prod]) == {}


def read(folder: Path) -> SecretsFile:
    file = read_secrets(folder / FILE, FILE)
    assert file is not None
    return file


def test_a_fingerprint_tells_same_from_changed() -> None:
    """By name and value under the file's key: equal values of two names or files look different."""
    file = filled(A="x", B="x")
    again = opened(file).with_values({"A": "x"})
    assert again == file
    changed = opened(file).with_values({"A": "y"})
    back = opened(changed).with_values({"A": "x"})
    assert back.secrets["A"].fingerprint == file.secrets["A"].fingerprint
    assert back.secrets["A"].age != file.secrets["A"].age
    assert changed.secrets["B"] == file.secrets["B"]
    prints = [
        file.secrets["A"],
        file.secrets["B"],
        changed.secrets["A"],
        filled(A="x").secrets["A"],
    ]
    assert len({item.fingerprint for item in prints}) == 4


def test_who_cannot_open_can_set() -> None:
    """Each time counts as changed: nobody could tell."""
    file = filled(A="x")
    blind = store_of(file, FILE, ()).with_values({"A": "x", "B": "y"})
    assert blind.secrets["A"].fingerprint != file.secrets["A"].fingerprint
    assert opened(blind).values() == {"A": "x", "B": "y"}
    assert store_of(file, FILE, (BOB,)).key is None
    assert opened(blind).with_values({"B": "y"}) == blind


def test_an_edit_seals_only_what_changed() -> None:
    """What was taken out goes, what came is added."""
    file = filled(A="1", B="2", C="3")
    edited = opened(file).edited({"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "9", "D": "4"})
    assert edited.secrets["A"] == file.secrets["A"]
    assert edited.secrets["B"] != file.secrets["B"]
    assert opened(edited).values() == {"A": "1", "B": "9", "D": "4"}


def test_one_more_recipient_changes_no_fingerprint() -> None:
    """So that nothing is recreated; both can open it then."""
    file = store_of(filled(A="x"), FILE, ()).with_values({"B": "y"})
    wider = opened(file).for_recipients(BOTH)
    for identity in (ANA, BOB):
        assert opened(wider, identity).values() == {"A": "x", "B": "y"}
    assert {name: item.fingerprint for name, item in wider.secrets.items()} == {
        name: item.fingerprint for name, item in file.secrets.items()
    }


def test_a_recipient_that_goes_takes_the_key_along() -> None:
    """Who knew it could try short values against fingerprints that are committed later."""
    file = opened(filled(A="x")).for_recipients(BOTH)
    left = opened(file).for_recipients({"bob": BOTH["bob"]})
    assert opened(left, BOB).values() == {"A": "x"}
    assert left.secrets["A"].fingerprint != file.secrets["A"].fingerprint
    with pytest.raises(InputError, match="A cannot be opened by this identity") as caught:
        opened(left).values()
    assert f"it is sealed for bob ({BOTH['bob']})" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("add", "remove", "says"),
    [
        (["ana=" + BOTH["bob"]], [], "ana is another recipient"),
        (["cy=age1x"], [], "not an age recipient"),
        ([BOTH["bob"]], [], "not an age recipient"),
        (["cy=" + str(BOB)], [], "this is a secret key"),
        ([], ["cy"], "no recipient cy"),
        ([], ["ana"], "nobody would be left"),
    ],
)
def test_recipients_that_make_no_sense(add: list[str], remove: list[str], says: str) -> None:
    """No error repeats a secret key."""
    with pytest.raises(InputError, match=says) as caught:
        next_recipients(RECIPIENTS, add, remove, FILE)
    assert "AGE-SECRET" not in f"{caught.value} {caught.value.hint}"


def test_recipients_come_and_go_by_name_or_key() -> None:
    """Adding one that is there changes nothing."""
    assert next_recipients(RECIPIENTS, ["bob=" + BOTH["bob"]], [], FILE) == BOTH
    assert next_recipients(BOTH, ["bob=" + BOTH["bob"]], ["ana"], FILE) == {"bob": BOTH["bob"]}
    assert next_recipients(BOTH, [], [BOTH["bob"]], FILE) == RECIPIENTS


def damaged(file: SecretsFile, **changes: str) -> SecretsFile:
    return replace(file, secrets={"A": replace(file.secrets["A"], **changes)})


@pytest.mark.parametrize(
    ("file", "identity", "says"),
    [
        (filled(A="hunter2"), BOB, "cannot be opened by this identity"),
        (damaged(filled(A="hunter2"), age="!"), ANA, "is damaged"),
        (damaged(filled(A="hunter2"), age="YWdl"), ANA, "is damaged"),
        (
            damaged(filled(A="hunter2"), age=filled(A="other").secrets["A"].age),
            ANA,
            "or|is not the one",
        ),
        (
            damaged(filled(A="hunter2"), fingerprint="hmac-sha256:00"),
            ANA,
            "is not the one that was set",
        ),
    ],
)
def test_what_cannot_be_opened_is_said(
    tmp_path: Path, file: SecretsFile, identity: object, says: str
) -> None:
    """Wrong identity, damage, and a value that was put in another's place; no value is told."""
    carried = AgeSecrets({}).carried(["A"], [at(tmp_path / "prod", file)])
    with pytest.raises(InputError, match=says) as caught:
        AgeSecrets(environ(identity)).values(["A"], carried)
    assert "secret A" in caught.value.what
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_an_identity_is_a_key_or_a_file_of_some(tmp_path: Path) -> None:
    """As age-keygen writes them; without one it is said what it is needed for."""
    path = tmp_path / "keys"
    path.write_text(f"# created: now\n{BOB}\n\n{ANA}\n")
    assert [str(key) for key in age.identities({age.VARIABLE: str(path)})] == [str(BOB), str(ANA)]
    assert [str(key) for key in age.identities(environ())] == [str(ANA)]
    assert age.identities({}) == age.identities({age.VARIABLE: " "}) == ()
    with pytest.raises(InputError, match="opening it needs an age identity"):
        age.required_identities({}, "opening it")


@pytest.mark.parametrize("content", [b"hello", b"# nothing\n", b"\xff", None, b"AGE-SECRET-KEY-1X"])
def test_what_leads_to_no_identity(tmp_path: Path, content: bytes | None) -> None:
    """Says so, and repeats nothing of what it read."""
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        age.identities({age.VARIABLE: str(path)})
    assert caught.value.where == age.VARIABLE
    assert "AGE-SECRET-KEY-1X" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 131_072])
def test_a_value_that_no_container_could_be_told(value: str) -> None:
    """Refused when it is set, not when it is run."""
    with pytest.raises(InputError) as caught:
        filled(A=value)
    assert "A" in caught.value.what
    assert filled(A="x" * 131_052)


@pytest.mark.parametrize("name", ["9A", "A-B", "A B", "", "Ä"])
def test_a_name_that_no_variable_could_have(name: str) -> None:
    with pytest.raises(InputError, match="is not a secret's name"):
        filled(**{name: "x"})


def test_the_file_is_one_a_person_can_read(tmp_path: Path) -> None:
    """Recipients first, a table a secret in the order of names, whatever order they came in."""
    file = begin(BOTH, FILE).with_values({"B": "2", "A": "1"})
    text = encode_secrets(file, "prod").decode()
    assert text.startswith("# The secrets of environments/prod, sealed by age")
    heads = [line for line in text.splitlines() if line.startswith("[")]
    assert heads == ["[recipients]", "[secrets.A]", "[secrets.B]"]
    assert list(tomllib.loads(text)["secrets"]["A"]) == ["fingerprint", "age"]
    assert read(at(tmp_path / "prod", file)) == file
    assert read_secrets(tmp_path / "none", FILE) is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\n<<<<<<< HEAD\n[secrets.A]\n", "git left a conflict"),
        (b"schema = 1\n", "missing required field `key`"),
        (b"schema = 9\nkey = ''\n[recipients]\n", "newer stagekit"),
        (b"\xff", "not a file of secrets"),
        (b"key = ''\nplain = 'x'\n[recipients]\n", "unknown field `plain`"),
    ],
)
def test_a_damaged_file_is_said(tmp_path: Path, data: bytes, says: str) -> None:
    """With its path and what to do."""
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        read_secrets(tmp_path / FILE, "environments/prod/secrets.toml")
    assert caught.value.where == "environments/prod/secrets.toml"
    assert caught.value.hint


def test_releases_that_only_former_recipients_open_are_found(tmp_path: Path) -> None:
    """By what each of them carries of that environment's file; releases without secrets are not."""
    ledger = FileLedger(tmp_path / "artifacts")
    for recipients in (RECIPIENTS, BOTH, {}):
        folder = at(tmp_path / "prod", opened(filled(A="x")).for_recipients(recipients or BOTH))
        names = ("A",) if recipients else ()
        files = AgeSecrets({}).carried(names, [folder])
        ledger.add_release(a_release(secrets=names), {"compose.yaml": b"", **files})
    bob = {BOTH["bob"]}

    def lost(layer: str) -> tuple[str, ...]:
        return releases_where(
            ledger,
            layer,
            lambda part: bob.isdisjoint(part.recipients.values()),
            Heard(),
        )

    assert lost("prod") == ("prod/v1",)
    assert lost("base") == ()


def test_near_names() -> None:
    """Case does not count; without any near one, all are told."""
    assert known_names("api_key", ["API_KEY", "X"]) == "did you mean API_KEY?"
    assert known_names("QQQ", ["B", "A"]) == "there are: A, B"
    assert known_names("QQQ", []) == "there is none yet"


def test_a_file_that_names_nobody_cannot_be_set() -> None:
    """What nobody could open is not sealed."""
    empty = SecretsFile(key="x", recipients={}, secrets={"A": Sealed("f", "a")})
    with pytest.raises(InputError, match="it has no recipients"):
        store_of(empty, FILE, ()).with_values({"B": "x"})
