"""Which files of the project travel in a release, under which address, and which are refused."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagekit.errors import InputError, ReleaseFailed
from stagekit.inputs.document import parse
from stagekit.inputs.files import Taken, executables, take_in
from stagekit.inputs.forbidden import refuse_forbidden
from stagekit.inputs.seal import seal
from stagekit.testing.records import PIN

FILES = "environments/dev/files"


def put(root: Path, path: str, data: bytes = b"x", mode: int = 0o644) -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(mode)
    return target


def mounting(source: str, **more: Any) -> dict[str, Any]:
    """A model of one service that mounts ``source``."""
    mount = {"type": "bind", "source": source, "target": "/x", **more}
    return {"services": {"web": {"image": "web:1", "volumes": [mount]}}}


def with_config(path: str, **item: Any) -> dict[str, Any]:
    """A model of one service with a config whose content is a file."""
    services = {"web": {"image": "web:1", "configs": [{"source": "page", **item}]}}
    return {"services": services, "configs": {"page": {"file": path}}}


def only_mount(taken: Taken) -> dict[str, Any]:
    [mount] = taken.model["services"]["web"]["volumes"]
    return dict(mount)


def sealed(taken: Taken) -> dict[str, Any]:
    return parse(seal(taken.model, pins={"web": PIN}, project="shop", env="dev").encode())


def refused(model: dict[str, Any], root: Path) -> InputError | ReleaseFailed:
    with pytest.raises((InputError, ReleaseFailed)) as caught:
        sealed(take_in(model, root))
    return caught.value


@pytest.mark.parametrize("path", [f"{FILES}/nginx.conf", "deploy/nginx.conf", "nginx.conf"])
@pytest.mark.parametrize("written", ["{}", "./{}", "environments/../{}"])
def test_a_mounted_file_travels_under_the_digest_of_its_bytes(
    tmp_path: Path, path: str, written: str
) -> None:
    """`sha256sum` checks it; it is mounted from there, read-only, and must be there."""
    put(tmp_path, path, b"listen 80;\n")
    (tmp_path / "environments").mkdir(exist_ok=True)
    taken = take_in(mounting(written.format(path)), tmp_path)
    address = f"files/{sha256(b'listen 80;' + bytes([10])).hexdigest()}/nginx.conf"
    assert taken.files == {address: b"listen 80;\n"}
    assert only_mount(taken) == {
        "type": "bind",
        "source": f"./{address}",
        "target": "/x",
        "read_only": True,
        "bind": {"create_host_path": False},
    }
    assert sealed(taken)["services"]["web"]["volumes"] == [only_mount(taken)]


def test_a_path_below_the_project_may_be_absolute(tmp_path: Path) -> None:
    """However it is written, this machine's own path stays out."""
    put(tmp_path, f"{FILES}/a", b"a")
    taken = take_in(mounting(f"{tmp_path}/{FILES}/a"), tmp_path)
    assert str(tmp_path) not in str(taken.model)
    assert list(taken.files.values()) == [b"a"]


def test_a_folder_below_environments_travels_whole(tmp_path: Path) -> None:
    """With what is in it, links followed; one address for all of it."""
    put(tmp_path, f"{FILES}/conf.d/a.conf", b"a")
    put(tmp_path, f"{FILES}/conf.d/sub/b.conf", b"b")
    (tmp_path / FILES / "conf.d/link").symlink_to(put(tmp_path, "other", b"o"))
    taken = take_in(mounting(f"./{FILES}/conf.d"), tmp_path)
    source = only_mount(taken)["source"]
    assert re.fullmatch(r"\./files/[0-9a-f]{64}/conf\.d", source)
    assert taken.files == {
        f"{source[2:]}/a.conf": b"a",
        f"{source[2:]}/sub/b.conf": b"b",
        f"{source[2:]}/link": b"o",
    }


def test_what_may_be_run_has_an_address_of_its_own(tmp_path: Path) -> None:
    """Its mode is part of it: a file is never both on one engine. Only the owner's bit counts."""
    addresses = {}
    for mode in (0o644, 0o600, 0o666, 0o755, 0o700):
        put(tmp_path, f"{FILES}/run.sh", b"#!/bin/sh\n", mode)
        taken = take_in(mounting(f"{FILES}/run.sh"), tmp_path)
        [path] = taken.files
        assert executables(sealed(taken)) == ({path} if mode & 0o100 else set())
        addresses[mode] = path
    assert addresses[0o644] == addresses[0o600] == addresses[0o666]
    assert addresses[0o755] == addresses[0o700] != addresses[0o644]


def test_the_same_file_travels_once(tmp_path: Path) -> None:
    """However many services mount it."""
    put(tmp_path, "a", b"same")
    model = mounting("a")
    model["services"]["other"] = mounting("./a")["services"]["web"]
    assert len(take_in(model, tmp_path).files) == 1


def test_a_mounted_file_that_changed_changes_the_label_of_those_who_mount_it(
    tmp_path: Path,
) -> None:
    """Only they are recreated."""
    labels = []
    for text in (b"one", b"two", b"one"):
        put(tmp_path, "a", text)
        labels.append(
            sealed(take_in(mounting("a"), tmp_path))["services"]["web"]["labels"]["stagekit.files"]
        )
    assert labels[0] == labels[2] != labels[1]


@pytest.mark.parametrize(
    "mount",
    [
        {"type": "bind", "source": "/var/run/x.sock", "target": "/x"},
        {"type": "volume", "source": "data", "target": "/x"},
        {"type": "tmpfs", "target": "/x"},
    ],
)
def test_what_is_not_the_projects_is_left(tmp_path: Path, mount: dict[str, Any]) -> None:
    """A socket of the host, a volume, memory."""
    model = {"services": {"web": {"image": "x", "volumes": [mount]}}}
    taken = take_in(model, tmp_path)
    assert (taken.model, taken.files) == (model, {})


@pytest.mark.parametrize("source", [".", "src", "./src", "~/src", "nothing", "..", "../nothing"])
def test_a_folder_of_source_is_refused(tmp_path: Path, source: str) -> None:
    """It would hide what was built; the hint names the ways out."""
    put(tmp_path, "src/app.py")
    error = refused(mounting(source), tmp_path)
    assert error.where == "services.web.volumes"
    assert "environments/<env>/files/" in str(error.hint)


@pytest.mark.parametrize("source", [f"{FILES}/nothing", f"./{FILES}/a/nothing"])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, source: str) -> None:
    """Docker would make an empty folder of it."""
    put(tmp_path, f"{FILES}/b")
    assert "no such file" in refused(mounting(source), tmp_path).what


@pytest.mark.parametrize(
    ("link", "target", "says"),
    [
        ("link", "../../../../outside", "outside the project"),
        ("folder/link", "../../../../../outside", "outside the project"),
        ("folder/loop", ".", "leads back to itself"),
        ("folder/none", "gone", "no such file"),
    ],
)
def test_links_that_lead_astray_are_refused(
    tmp_path: Path, link: str, target: str, says: str
) -> None:
    """Out of the project, back into themselves, or nowhere."""
    root = tmp_path / "root"
    put(tmp_path, "outside")
    put(root, f"{FILES}/folder/a")
    (root / FILES / link).symlink_to(target)
    error = refused(mounting(f"{FILES}/{link.partition('/')[0]}"), root)
    assert says in error.what
    assert error.where == "services.web.volumes"


def test_an_empty_folder_and_what_is_no_file_are_refused(tmp_path: Path) -> None:
    """Neither could be brought back from a release."""
    (tmp_path / FILES / "empty").mkdir(parents=True)
    assert "is empty" in refused(mounting(f"{FILES}/empty"), tmp_path).what
    os.mkfifo(tmp_path / FILES / "empty/pipe")
    assert "neither a file nor a folder" in refused(mounting(f"{FILES}/empty"), tmp_path).what


def test_what_is_too_large_for_config_is_refused(tmp_path: Path) -> None:
    """Before it is read into memory."""
    with put(tmp_path, f"{FILES}/large").open("wb") as file:
        file.truncate(2**40)
    error = refused(mounting(f"{FILES}/large"), tmp_path)
    assert "32 MiB" in error.what
    assert "image" in str(error.hint)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """No document could hold it."""
    put(tmp_path, f"{FILES}/folder/a")
    (tmp_path / os.fsdecode(FILES.encode() + b"/folder/\xff")).write_bytes(b"x")
    assert "not UTF-8" in refused(mounting(f"{FILES}/folder"), tmp_path).what


def test_dollars_in_names_are_compose_s(tmp_path: Path) -> None:
    """Doubled in the document, single on disk and in the release."""
    put(tmp_path, f"{FILES}/a$b$$c", b"x")
    taken = take_in(mounting(f"{FILES}/a$$b$$$$c"), tmp_path)
    assert [Path(path).name for path in taken.files] == ["a$b$$c"]
    assert only_mount(taken)["source"].endswith("/a$$b$$$$c")


def test_a_configs_text_takes_the_place_of_its_file(tmp_path: Path) -> None:
    """Dollars doubled, as Compose reads it; nothing travels beside the document."""
    put(tmp_path, "page", "costs $5 é\r\n\t".encode())
    taken = take_in(with_config("./page"), tmp_path)
    assert taken.model["configs"] == {"page": {"content": "costs $$5 é\r\n\t"}}
    assert taken.files == {}
    assert "mode" not in taken.model["services"]["web"]["configs"][0]


@pytest.mark.parametrize(("given", "mode"), [({}, 0o555), ({"mode": "0400"}, "0400")])
def test_a_config_that_may_be_run_stays_so(
    tmp_path: Path, given: dict[str, Any], mode: object
) -> None:
    """An entry point mounted as a config; what the author says about its mode counts first."""
    put(tmp_path, "run.sh", b"#!/bin/sh\n", 0o755)
    taken = take_in(with_config("run.sh", **given), tmp_path)
    assert taken.model["services"]["web"]["configs"][0]["mode"] == mode


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\0b"])
@pytest.mark.parametrize(("given", "target"), [({}, "/page"), ({"target": "/etc/p"}, "/etc/p")])
def test_a_config_that_is_no_text_is_mounted(
    tmp_path: Path, data: bytes, given: dict[str, Any], target: str
) -> None:
    """What no `content` can hold travels as a file, to where the config would be."""
    put(tmp_path, "page", data)
    taken = take_in(with_config("page", **given), tmp_path)
    assert list(taken.files.values()) == [data]
    assert only_mount(taken)["target"] == target
    assert only_mount(taken)["read_only"] is True
    assert taken.model["configs"] == {}
    assert taken.model["services"]["web"]["configs"] == []


@pytest.mark.parametrize("name", ["../outside", "link"])
def test_a_config_file_from_outside_is_refused(tmp_path: Path, name: str) -> None:
    """Only files of the project are taken in, links followed."""
    root = tmp_path / "root"
    root.mkdir()
    put(tmp_path, "outside")
    (root / "link").symlink_to(tmp_path / "outside")
    error = refused(with_config(name), root)
    assert "outside the project" in error.what
    assert error.where == "configs.page.file"


@pytest.mark.parametrize("path", ["page", "."])
def test_a_config_file_that_cannot_be_read_is_refused(tmp_path: Path, path: str) -> None:
    """It is not there, or is a folder."""
    error = refused(with_config(path), tmp_path)
    assert "cannot read" in error.what
    assert error.where == "configs.page.file"


@given(st.dictionaries(st.text("ab$ .é\\'", min_size=1, max_size=4), st.binary(max_size=8)))
def test_a_folders_address_stands_for_names_and_bytes(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    """Equal folders have one address wherever they lie; what is kept is what was there."""
    named = {name: data for name, data in files.items() if name.strip(".")}
    sources = []
    for _ in range(2 if named else 0):
        root = tmp_path_factory.mktemp("root")
        for name, data in named.items():
            put(root, f"{FILES}/folder/{name}", data)
        taken = take_in(mounting(f"{FILES}/folder"), root)
        source = only_mount(taken)["source"].removeprefix("./")
        assert taken.files == {f"{source}/{name}": data for name, data in named.items()}
        sources.append(source)
    assert len(set(sources)) <= 1


def test_source_is_mounted_where_an_environment_lets_it(tmp_path: Path) -> None:
    """By a variable that run fills in: no path of this machine; config still travels."""
    put(tmp_path, "app/a$b/x")
    put(tmp_path, f"{FILES}/page")
    volumes = [
        {"type": "bind", "source": source, "target": f"/{number}"}
        for number, source in enumerate(
            ("./app/a$$b", ".", str(tmp_path / "app"), "./environments/dev/files/page", "/etc")
        )
    ]
    model = {"services": {"web": {"image": "web", "volumes": volumes}}}
    taken = take_in(model, tmp_path, source_mounts=True)
    sources = [mount["source"] for mount in taken.model["services"]["web"]["volumes"]]
    assert sources[:3] == [
        "${STAGEKIT_SOURCE}/app/a$$b",
        "${STAGEKIT_SOURCE}",
        "${STAGEKIT_SOURCE}/app",
    ]
    assert sources[3].startswith("./files/")
    assert sources[4] == "/etc"
    refuse_forbidden(taken.model)
    with pytest.raises(ReleaseFailed, match="is a path of the machine") as caught:
        refuse_forbidden(take_in(model, tmp_path).model)
    assert "source_mounts" in (caught.value.hint or "")


@pytest.mark.parametrize("below", ["app", "", "missing"])
def test_the_project_is_not_mounted_by_its_absolute_path(tmp_path: Path, below: str) -> None:
    """However it is written, it is a path of the machine that releases."""
    put(tmp_path, "app/x")
    taken = take_in(mounting(str(tmp_path / below)), tmp_path)
    with pytest.raises(ReleaseFailed, match="is a path of the machine"):
        refuse_forbidden(taken.model)


def test_what_is_neither_file_nor_folder_is_not_read(tmp_path: Path) -> None:
    """Reading a pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        take_in(with_config("./pipe"), tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        {"volumes": [{"type": "image", "source": "nginx:latest", "target": "/x"}]},
        {"devices": [{"source": "dev/foo", "target": "/dev/x"}]},
        {"security_opt": ["seccomp:profile.json"]},
        {"credential_spec": {"file": "creds.json"}},
        {"use_api_socket": True},
        {"provider": {"type": "model"}},
        {"models": {"llm": None}},
        {"post_start": [{"command": ["x"], "environment": {"HOME": None}}]},
    ],
)
def test_what_depends_on_where_it_is_run_is_refused(line: dict[str, Any]) -> None:
    """Each of them passes through Compose as it is."""
    with pytest.raises(ReleaseFailed) as caught:
        refuse_forbidden({"services": {"web": {"image": "web", **line}}})
    assert (caught.value.where or "").startswith("services.web.")


def test_a_volume_of_the_source_is_refused() -> None:
    """A bind by another name."""
    options = {"type": "none", "o": "bind", "device": "data/db"}
    with pytest.raises(ReleaseFailed, match="data/db is a path of the machine"):
        refuse_forbidden({"services": {}, "volumes": {"db": {"driver_opts": options}}})


@pytest.mark.parametrize("path", ["{root}", "{root}/data", "{root}/../p/data", "{link}/data"])
@pytest.mark.parametrize("kind", ["volume", "mount"])
def test_an_absolute_path_of_the_project_is_refused(tmp_path: Path, path: str, kind: str) -> None:
    """As a volume's device as well as a mount's source: it is this machine's, by a link too."""
    root, link = tmp_path / "p", tmp_path / "link"
    (root / "data").mkdir(parents=True)
    link.symlink_to("p")
    device = path.format(root=root, link=link)
    model = mounting(device)
    if kind == "volume":
        options = {"type": "none", "o": "bind", "device": device}
        model = {"services": {"web": {"image": "x"}}, "volumes": {"d": {"driver_opts": options}}}
    error = refused(model, root)
    assert "path of the machine that releases" in error.what
    assert str(tmp_path) not in error.what
    assert error.hint
