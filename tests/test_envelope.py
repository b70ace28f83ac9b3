"""The file format of records: what is written reads back, and what was changed does not."""

from __future__ import annotations

import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagekit import digest
from stagekit.envelope import decode, encode, plain
from stagekit.errors import LedgerError
from stagekit.records import (
    CI,
    Action,
    ActionKind,
    AnyRecord,
    Build,
    BuilderFacts,
    BuildPruning,
    BuildStatus,
    BuiltImage,
    Cancellation,
    CheckPassed,
    Compared,
    ComparedRelease,
    Comparison,
    ComparisonOutcome,
    ContainerFailure,
    ContainerPlanned,
    ContainerSeen,
    Deploy,
    EngineFacts,
    Failure,
    HostOutcome,
    HostPlanned,
    HostRun,
    HttpCheck,
    Link,
    Object,
    Pin,
    PinKind,
    Planned,
    Pruning,
    QuestionKind,
    Release,
    ReleaseCommand,
    Reply,
    Run,
    RunOutcome,
    RunReason,
    Source,
    StepTaken,
    Versions,
)
from stagekit.testing.records import a_build, a_release, a_run

TEXT = st.text(max_size=8)
MAYBE = st.none() | TEXT
LINES = st.lists(TEXT, max_size=2).map(tuple)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))
NUMBERS = st.integers(0, 2**53)
SECONDS = st.floats(0, 1e9)


def word(kind: Any) -> st.SearchStrategy[str]:
    """The words that a field of few choices takes."""
    return st.sampled_from(get_args(kind))


def part(kind: type[Any], /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of ``kind``: fields not named are plain text."""
    rest = {field.name: TEXT for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **{**rest, **fields})


CIS = st.none() | part(
    CI, **dict.fromkeys(("url", "pipeline", "counter", "attempt", "commit", "branch"), MAYBE)
)
FAILURES = part(Failure, output=LINES, seconds=st.none() | SECONDS)
IMAGES = part(
    BuiltImage,
    tags=LINES,
    size=NUMBERS,
    pushed=st.booleans(),
    digest=MAYBE,
    copies=st.dictionaries(TEXT, TEXT, max_size=2),
    fingerprint=MAYBE,
    why=LINES,
    made_by=MAYBE,
)
CHECKS = part(CheckPassed, run=LINES, seconds=SECONDS, entrypoint=st.none() | LINES)
SOURCES = part(
    Source,
    commit=MAYBE,
    branch=MAYBE,
    dirty=st.booleans(),
    remote=MAYBE,
    committed=st.none() | TIMES,
    changed=LINES,
)
BUILDS = part(
    Build,
    status=word(BuildStatus),
    created=TIMES,
    finished=TIMES,
    engine_local=st.booleans(),
    source=SOURCES,
    builder=part(BuilderFacts),
    ci=CIS,
    failures=st.lists(FAILURES, max_size=2).map(tuple),
    checks=st.lists(CHECKS, max_size=2).map(tuple),
    images=st.dictionaries(TEXT, IMAGES, max_size=2),
)
DEPLOYS = part(
    Deploy,
    timeout=SECONDS,
    settle=SECONDS,
    source_mounts=st.booleans(),
    profiles=LINES,
    rollback_on_failure=st.none() | st.booleans(),
    free_disk=NUMBERS,
    lease=SECONDS,
    verify_signatures=st.booleans(),
    release_command=st.none() | part(ReleaseCommand, command=LINES, timeout=SECONDS),
    checks=st.lists(part(HttpCheck, status=NUMBERS, deadline=SECONDS), max_size=2).map(tuple),
    hooks=st.dictionaries(TEXT, LINES, max_size=2),
    hosts=LINES | st.dictionaries(TEXT, TEXT, max_size=2),
    roles=st.dictionaries(TEXT, LINES, max_size=2),
    batch=NUMBERS | TEXT,
    canary=NUMBERS,
    canary_pause=SECONDS,
    ssh_sessions=NUMBERS,
)
RELEASES = part(
    Release,
    created=TIMES,
    engine_local=st.booleans(),
    build=part(Link),
    deploy=DEPLOYS,
    versions=part(Versions),
    message=MAYBE,
    promoted_from=MAYBE,
    forced=LINES,
    ci=CIS,
    secrets=LINES,
    commits=LINES,
    pins=st.dictionaries(TEXT, part(Pin, kind=word(PinKind)), max_size=2),
    files=st.dictionaries(TEXT, TEXT, max_size=2),
)
CANCELLATIONS = part(Cancellation, release=part(Link), created=TIMES, ci=CIS)
PRUNINGS = part(
    Pruning, release=part(Link), released=TIMES, build=part(Link), created=TIMES, ci=CIS
)
BUILD_PRUNINGS = part(
    BuildPruning,
    build=part(Link),
    built=TIMES,
    created=TIMES,
    commit=MAYBE,
    ci=CIS,
    images=st.dictionaries(TEXT, TEXT, max_size=2),
)
FACTS = st.none() | part(EngineFacts)
STEPS = st.lists(part(StepTaken, seconds=SECONDS), max_size=2).map(tuple)
SEEN = st.lists(
    part(
        ContainerSeen,
        proven=st.booleans(),
        health=MAYBE,
        exit_code=st.none() | st.integers(-255, 255),
        digests=LINES,
        definition=MAYBE,
        settings=st.dictionaries(TEXT, TEXT, max_size=2),
    ),
    max_size=2,
).map(tuple)
FAILED = st.lists(
    part(ContainerFailure, output=LINES, exit_code=st.none() | st.integers(-255, 255)),
    max_size=2,
).map(tuple)
HOSTS = part(
    HostRun,
    outcome=word(HostOutcome),
    release=MAYBE,
    before=MAYBE,
    foreign=st.booleans(),
    changed=st.booleans(),
    engine=FACTS,
    failure=st.none() | FAILURES,
    steps=STEPS,
    containers=SEEN,
    failed=FAILED,
)
RUNS = part(
    Run,
    n=NUMBERS,
    reason=word(RunReason),
    outcome=word(RunOutcome),
    created=TIMES,
    finished=TIMES,
    release=part(Link),
    engine=FACTS,
    ci=CIS,
    failure=st.none() | FAILURES,
    steps=STEPS,
    containers=SEEN,
    failed=FAILED,
    changed=st.booleans(),
    command_ran=st.booleans(),
    answers=st.none() | NUMBERS,
    plan=MAYBE,
    taken_over=MAYBE,
    scale=st.dictionaries(TEXT, NUMBERS, max_size=2),
    warnings=LINES,
    hosts=st.lists(HOSTS, max_size=2).map(tuple),
    left=st.lists(HOSTS, max_size=2).map(tuple),
    resumes=st.none() | NUMBERS,
)
ACTIONS = part(
    Action,
    kind=word(ActionKind),
    what=word(Object),
    count=st.none() | NUMBERS,
    reasons=LINES,
)
PROSPECT: dict[str, st.SearchStrategy[Any]] = {
    "engine": st.none() | part(EngineFacts),
    "pull": LINES,
    "actions": st.lists(ACTIONS, max_size=2).map(tuple),
    "seen": st.lists(part(ContainerPlanned, definition=MAYBE), max_size=2).map(tuple),
}
PLANS = part(
    Planned,
    reason=word(RunReason),
    created=TIMES,
    release=part(Link),
    scale=st.dictionaries(TEXT, NUMBERS, max_size=2),
    hosts=st.lists(part(HostPlanned, **PROSPECT), max_size=2).map(tuple),
    batches=st.lists(LINES, max_size=2).map(tuple),
    **PROSPECT,
)
REPLIES = part(
    Reply,
    seconds=SECONDS,
    code=st.none() | NUMBERS,
    headers=st.dictionaries(TEXT, TEXT, max_size=2),
    size=NUMBERS,
)
HALVES = part(
    ComparedRelease,
    release=part(Link),
    left_out=LINES,
    address=MAYBE,
    addresses=st.dictionaries(TEXT, TEXT, max_size=2),
    containers=st.just(()),
)
COMPARISONS = part(
    Comparison,
    n=NUMBERS,
    outcome=word(ComparisonOutcome),
    created=TIMES,
    finished=TIMES,
    old=HALVES,
    new=HALVES,
    compared=st.lists(
        part(
            Compared,
            kind=word(QuestionKind),
            old=REPLIES,
            new=REPLIES,
            differs=st.booleans(),
            difference=LINES,
            more=NUMBERS,
        ),
        max_size=2,
    ).map(tuple),
    engine=st.none() | part(EngineFacts),
    ci=CIS,
    failure=st.none() | FAILURES,
    commands_ran=LINES,
    warnings=LINES,
)
RECORDS = st.one_of(
    *(BUILDS, RELEASES, RUNS, COMPARISONS, PLANS),
    *(CANCELLATIONS, PRUNINGS, BUILD_PRUNINGS),
)
ONE_OF_EACH = [a_build(), a_release(id="v1"), a_run()]


def refusal(kind: type[Any], data: bytes) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        decode(kind, data, where="the file")
    assert caught.value.where == "the file"
    return caught.value


@given(RECORDS)
def test_what_is_written_reads_back(record: AnyRecord) -> None:
    """Every record, whatever texts it holds, is the same after a trip through its file."""
    stored = decode(type(record), encode(record), where="x")
    assert stored.record == record


@given(RECORDS)
def test_the_file_is_toml_with_its_digest_on_the_second_line(record: AnyRecord) -> None:
    """Schema, digest, body: the digest is that of all bytes after line 2, as they stand."""
    data = encode(record)
    first, second, body = data.split(b"\n", 2)
    assert first == b"schema = 1"
    assert second == f'digest = "{digest.of_bytes(body)}"'.encode()
    table = tomllib.loads(data.decode())
    assert table.pop("schema") == 1
    assert table.pop("digest") == digest.of_bytes(body)
    assert msgspec.convert(table, type(record)) == record


@pytest.mark.parametrize("record", ONE_OF_EACH, ids=lambda item: type(item).__name__)
def test_tail_and_sha256sum_check_a_record(tmp_path: Path, record: Build) -> None:
    """``tail -n +3 FILE | sha256sum`` prints what line 2 says."""
    path = tmp_path / "record.toml"
    path.write_bytes(encode(record))
    body = subprocess.run(["tail", "-n", "+3", str(path)], capture_output=True, check=True).stdout
    printed = subprocess.run(["sha256sum"], input=body, capture_output=True, check=True).stdout
    stated = tomllib.loads(path.read_text())["digest"]
    assert stated == "sha256:" + printed.decode().split()[0]


def test_the_link_of_a_stored_record_names_its_digest() -> None:
    """A later record names this one by id and digest; a run by its number."""
    data = encode(a_run(7))
    stored = decode(Run, data, where="x")
    assert stored.link == Link(id="7", digest=digest.of_bytes(data.split(b"\n", 2)[2]))
    assert decode(Build, encode(a_build("b9")), where="x").link.id == "b9"


@pytest.mark.parametrize("record", ONE_OF_EACH, ids=lambda item: type(item).__name__)
def test_a_field_without_a_value_is_left_out(record: Build) -> None:
    """TOML has no null, and the file shows none."""
    text = encode(record).decode()
    assert "None" not in text
    assert "null" not in text
    assert "ci" not in plain(record)
    assert None not in plain(record).values()


@pytest.mark.parametrize("record", ONE_OF_EACH, ids=lambda item: type(item).__name__)
def test_a_record_cut_anywhere_is_refused(record: Build) -> None:
    """No prefix of a record passes for one: a power cut leaves nothing that lies."""
    data = encode(record)
    for length in range(len(data)):
        refusal(type(record), data[:length])


@given(st.data())
def test_a_record_edited_anywhere_is_refused(draw: st.DataObject) -> None:
    """One byte that is another one is noticed."""
    data = bytearray(encode(a_build()))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= draw.draw(st.integers(1, 255))
    refusal(Build, bytes(data))


def test_an_edit_of_the_body_says_so() -> None:
    """The error tells an edited record from a foreign file, and which digest it should have."""
    data = encode(a_build())
    error = refusal(Build, data.replace(b"succeeded", b"succeedee"))
    assert "changed or cut" in error.what
    assert data.split(b"\n")[1].decode().split('"')[1] in str(error.hint)


def test_line_ends_of_another_system_are_an_edit() -> None:
    """git's autocrlf on artifacts is noticed instead of trusted."""
    refusal(Build, encode(a_build()).replace(b"\n", b"\r\n"))


def test_a_newer_schema_is_told_what_to_install() -> None:
    """A record of a later stagekit is not damaged: an upgrade reads it."""
    data = encode(a_build()).replace(b"schema = 1\n", b"schema = 2\n", 1)
    error = refusal(Build, data)
    assert "newer stagekit" in error.what
    assert error.hint == "pip install --upgrade stagekit"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\0" * 4096,
        b"schema = 1\n",
        b'schema = 1\ndigest = "sha256:0"',
        b"schema = 0\ndigest = ''\n",
        b"schema = '1'\ndigest = ''\n",
        b"schema = 1\ndigest = 1\n",
        b"\xff\xfe\n\xff\n",
        b'digest = ""\nschema = 1\n',
    ],
)
def test_other_files_are_no_records(data: bytes) -> None:
    """What does not begin as a record does is said to be none."""
    error = refusal(Build, data)
    assert "not a whole record" in error.what


@pytest.mark.parametrize("body", [b"", b"id = 1\n", b"id = \n", b"\xff", b'id = "x"\n'])
def test_a_sealed_body_that_is_no_record_is_refused(body: bytes) -> None:
    """A right digest over a wrong body is no record either."""
    data = b'schema = 1\ndigest = "' + digest.of_bytes(body).encode() + b'"\n' + body
    assert "not a record" in refusal(Build, data).what


def test_one_kind_does_not_pass_for_another() -> None:
    """A run's file put in the place of a build's is refused."""
    assert "not a record" in refusal(Build, encode(a_run())).what
    assert "not a record" in refusal(Run, encode(a_build())).what
