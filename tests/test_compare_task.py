"""The command line of comparisons: what is asked for, and what is listed. No engine is needed."""

from __future__ import annotations

from math import inf

import pytest

from stagekit.cli import compare
from stagekit.errors import InputError
from stagekit.ledger.files import FileLedger
from stagekit.pipeline.run.halves import Asked
from tests.repository import Repository
from tests.test_comparison import a_comparison

ASKED = Asked(urls=("/",))


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("/", "/"),
        (" /a?b=1,2&c=%20 ", "/a?b=1,2&c=%20"),
        ("/käse", "/k%C3%A4se"),
    ],
)
def test_a_path_as_it_is_asked_for(given: str, asked: str) -> None:
    """What a server could not be sent is quoted; what is quoted stays."""
    assert compare._path(given) == asked


@pytest.mark.parametrize("text", ["", "health", "http://x/", "/a b", "/a\r\nHost: b", "/\x00"])
def test_what_is_no_path(text: str) -> None:
    """A whole address neither: both have their own."""
    with pytest.raises(InputError, match="is no path of a page"):
        compare._path(text)


def test_paths_in_one_word() -> None:
    """A comma is part of a path unless another one follows it."""
    assert compare._BETWEEN_PATHS.split("/a,/b?c=1,2") == ["/a", "/b?c=1,2"]


class Stdin:
    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "asked", "keep", "limit", "stays"),
    [
        (True, Asked(), False, None, (inf, True)),
        (True, ASKED, False, None, (0.0, True)),
        (False, Asked(), False, None, (0.0, True)),
        (True, ASKED, True, None, (inf, False)),
        (True, ASKED, True, 5, (5, False)),
        (False, Asked(), True, 5, (5, False)),
    ],
)
def test_how_long_both_stay(
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    asked: Asked,
    keep: bool,
    limit: int | None,
    stays: tuple[float, bool],
) -> None:
    """For ever only where somebody can end it."""
    monkeypatch.setattr("sys.stdin", Stdin(terminal))
    assert compare._stay(asked, keep, limit) == stays


def test_for_ever_with_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused; and so is a limit of nothing."""
    monkeypatch.setattr("sys.stdin", Stdin(terminal=False))
    with pytest.raises(InputError, match="nobody is there"):
        compare._stay(ASKED, True, None)
    with pytest.raises(InputError, match="a limit is for --keep"):
        compare._stay(ASKED, False, 5)


def test_the_list(repository: Repository) -> None:
    """Newest first; one that died is recorded now, and a damaged record hides no other."""
    none = repository.inv("run.comparisons")
    assert "nothing was compared yet" in none.stderr
    ledger = FileLedger(repository.root / "artifacts")
    for outcome in ("same", "different"):
        slot = ledger.begin_comparison(a_comparison())
        slot.finish(a_comparison(n=slot.n, outcome=outcome))
        slot.close()
    ledger.begin_comparison(a_comparison()).close()
    (repository.root / "artifacts/comparisons/1.toml").write_text("schema = 1\n")

    listed = repository.inv("run.comparisons")
    rows = [line.split() for line in listed.stdout.splitlines()]
    assert [row[0] for row in rows] == ["N", "3", "2", "1"]
    assert rows[1][:4] == ["3", "dev/v1", "dev/v1", "interrupted"]
    assert rows[2][3] == "different"
    assert rows[3][1] == "damaged"
    assert "comparison 3 was interrupted" in listed.stderr
    found = repository.inv("run.comparisons", "--json", "--last", "2").json
    assert [item["n"] for item in found] == [3, 2]


def test_what_is_wrong_is_said_at_once(repository: Repository) -> None:
    """Before any engine is looked for."""
    wrong = repository.attempt("run.compare", "dev/v1", "dev/v2")
    assert (wrong.code, "no release dev/v1" in wrong.stderr) == (2, True)
    path = repository.attempt("run.compare", "dev/v1", "dev/v2", "--url", "health")
    assert (path.code, "--url /health?full=1" in path.stderr) == (2, True)
