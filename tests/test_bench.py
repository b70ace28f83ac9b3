"""What the benchmarks make of samples, and that they can be run. Nothing here is timed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from benchmarks import figures, hardware, table
from benchmarks.chart import DARK, LIGHT, Scale, chart
from benchmarks.command import Command, CommandFailed
from benchmarks.harness import Pace, contest, taken
from benchmarks.measure import Contestant, Measure, chosen
from benchmarks.measures import MEASURES
from benchmarks.place import Place, place
from benchmarks.report import Contest, Goal, Machine, Report, Row, Spread, joined, read
from benchmarks.resident import descendants, parsed, watched
from benchmarks.versions import numbered
from stagekit.cancel import Cancel
from stagekit.errors import EngineError, InputError
from stagekit.events import Event, Warned, ignore, step
from tests.pages import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def a_contest(goal: Goal | None = None, unit: str = "s") -> Contest:
    """stagekit at one, a peer that takes half of it, one that takes twice, one that is not here."""
    samples = {"stagekit": [1.0, 1.0, 1.0], "quick": [0.5, 0.5, 0.5], "slow": [2.0, 2.0, 2.0]}
    roles = {"stagekit": "stagekit", "quick": "peer", "slow": "floor", "away": "peer"}
    made = figures.rows(samples, roles, {"away": "not found here"})  # type: ignore[arg-type]
    return Contest("build", "a build", unit, 3, goal, made)  # type: ignore[arg-type]


def a_report(*contests: Contest, quick: bool = False) -> Report:
    return Report(
        begun=datetime(2026, 4, 6, 12, 0, tzinfo=UTC),
        seconds=12.0,
        quick=quick,
        machine=Machine(2, "A processor", 8_000_000_000, "Linux 6.1", 0.5),
        versions={"stagekit": "1.0", "buildx": ""},
        contests=contests or (a_contest(),),
    )


# figures


def test_the_spread_of_samples_is_their_median_and_quartiles() -> None:
    """Between the lowest and the highest: no sample is outside of what was measured."""
    assert figures.spread([4.0, 1.0, 3.0, 2.0, 5.0]) == Spread(2.0, 3.0, 4.0)
    assert figures.spread([1.0, 2.0]) == Spread(1.25, 1.5, 1.75)
    assert figures.spread([7.0]) == Spread(7.0, 7.0, 7.0)
    with pytest.raises(ValueError, match="no samples"):
        figures.spread([])


def test_ratios_are_of_pairs_and_not_of_medians() -> None:
    """A machine that was four times as slow for one round changes no ratio."""
    ours, theirs = [1.0, 4.0, 1.0], [2.0, 8.0, 2.0]
    assert figures.ratios(ours, theirs) == [0.5, 0.5, 0.5]
    with pytest.raises(ValueError, match="zip"):
        figures.ratios([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="nothing"):
        figures.ratios([1.0], [0.0])


def test_rows_are_of_everyone_in_their_order() -> None:
    """Who is not there has a row too; stagekit is not compared with itself."""
    ours, quick, slow, away = a_contest().rows
    assert ours.ratio is None
    assert quick.ratio == Spread(2.0, 2.0, 2.0)
    assert slow.ratio == Spread(0.5, 0.5, 0.5)
    assert (away.spread, away.absent) == (None, "not found here")


def test_nobody_is_compared_where_stagekit_was_not_measured() -> None:
    """What others took is shown all the same."""
    failed, other = figures.rows(
        {"other": [1.0]}, {"ours": "stagekit", "other": "peer"}, {"ours": "failed: so"}
    )
    assert failed.absent == "failed: so"
    assert (other.spread, other.ratio) == (Spread(1.0, 1.0, 1.0), None)


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.5, 0.9, -1), (0.9, 1.1, 0), (1.0, 1.2, 0), (1.1, 1.2, 1)]
)
def test_a_verdict_needs_both_quartiles_on_one_side(low: float, high: float, verdict: int) -> None:
    """Else it is noise."""
    assert figures.verdict(Spread(low, 1.0, high)) == verdict


@pytest.mark.parametrize(("ratio", "above"), [(1.25, False), (1.254, False), (1.26, True)])
def test_a_goal_is_held_against_what_is_printed(ratio: float, above: bool) -> None:
    """Two digits, and only the row that it names."""
    row = Row("floor", "floor", (1.0,), Spread(1, 1, 1), Spread(ratio, ratio, ratio))
    assert figures.above(Goal(1.25, "floor"), row) is above
    assert not figures.above(Goal(0.1, "another"), row)
    assert not figures.above(None, row)


# what is measured


def test_every_measure_has_a_name_of_its_own() -> None:
    """And its goal is a ratio that somebody could reach."""
    names = [measure.name for measure in MEASURES]
    assert len(names) == len(set(names))
    assert all(measure.goal is None or measure.goal.ratio > 0 for measure in MEASURES)
    assert all(measure.rounds >= 5 for measure in MEASURES if measure.unit == "s")


def test_measures_are_chosen_by_name_or_by_group() -> None:
    """Without a name, all but those that are only measured by name."""
    usual = chosen(MEASURES, "")
    assert usual == tuple(measure for measure in MEASURES if not measure.asked)
    assert [each.name for each in chosen(MEASURES, "git-next, startup")] == ["startup", "git-next"]
    assert [each.name for each in chosen(MEASURES, "release")] == [
        "release-10",
        "release-200",
        "release-1000",
    ]
    with pytest.raises(InputError, match="no measure nothing"):
        chosen(MEASURES, "startup,nothing")


@pytest.mark.parametrize(
    ("pace", "rounds"), [(Pace(), 7), (Pace(quick=True), 2), (Pace(rounds=3, quick=True), 3)]
)
def test_rounds(pace: Pace, rounds: int) -> None:
    """A measure's own number, unless another one is asked for."""
    assert pace.of(Measure("a", "a", lambda _: (), rounds=7)) == rounds


# the harness


class Counting:
    """Contestants that write down whose turn it was."""

    def __init__(self) -> None:
        self.turns: list[str] = []

    def who(self, name: str, *, fails: int = 0) -> Contestant:
        """Return one that fails in its first turns."""

        def sample() -> float:
            self.turns.append(name)
            if self.turns.count(name) <= fails:
                raise CommandFailed("ended with 1", where="there", output=("because",))
            return float(len(self.turns))

        return Contestant(name, sample, "stagekit" if name == "ours" else "peer")


def test_everyone_has_a_turn_in_each_round_and_the_first_does_not_count() -> None:
    """A B A B."""
    counting = Counting()
    with step(ignore, "measure", "x") as under_way:
        samples, absent = taken(
            [counting.who("ours"), Contestant("away", "not found here"), counting.who("other")],
            2,
            under_way,
            ignore,
        )
    assert counting.turns == ["ours", "other"] * 3
    assert samples == {"ours": [3.0, 5.0], "other": [4.0, 6.0]}
    assert absent == {"away": "not found here"}


def test_one_that_fails_again_is_told_and_the_others_go_on() -> None:
    """It takes no part any more, and its row says why."""
    counting, told = Counting(), list[Event]()
    with step(ignore, "measure", "x") as under_way:
        who = [counting.who("ours"), counting.who("other", fails=9)]
        samples, absent = taken(who, 2, under_way, told.append)
    assert counting.turns == ["ours", "other", "other", "ours", "ours"]
    assert list(samples) == ["ours"]
    assert absent == {"other": "failed: there: ended with 1: because"}
    assert told[-1] == Warned("other failed: there: ended with 1: because")


def test_one_that_fails_once_is_told_and_has_another_turn() -> None:
    """A registry that answers 500 now and then takes nobody's row away."""
    counting, told = Counting(), list[Event]()
    with step(ignore, "measure", "x") as under_way:
        samples, absent = taken([counting.who("ours", fails=1)], 2, under_way, told.append)
    assert counting.turns == ["ours"] * 4
    assert (samples, absent) == ({"ours": [3.0, 4.0]}, {})
    again = "ours failed, and is tried again: there: ended with 1: because"
    assert Warned(again) in told


def test_a_measure_that_takes_too_long_makes_do_with_fewer_rounds() -> None:
    """One at least."""
    now = iter([0.0, 1000.0])
    counting = Counting()
    with step(ignore, "measure", "x") as under_way:
        samples, _ = taken([counting.who("ours")], 9, under_way, ignore, lambda: next(now))
    assert samples == {"ours": [2.0]}


@pytest.fixture
def somewhere(tmp_path: Path) -> Iterator[Place]:
    """A place that has no engine."""
    with ExitStack() as left:
        yield Place(tmp_path, install=False, emit=ignore, cancel=Cancel(), left=left)


def test_what_cannot_be_laid_out_is_a_row_that_says_so(somewhere: Place) -> None:
    """No engine, for example."""

    def without_an_engine(_: Place) -> tuple[Contestant, ...]:
        raise EngineError("no Docker engine answers")

    found = contest(Measure("build", "a build", without_an_engine), somewhere, 5)
    assert not found.measured
    assert found.rows == (Row("stagekit", "stagekit", absent="failed: no Docker engine answers"),)


def test_an_engine_that_is_not_there_is_looked_for_once(
    somewhere: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for each measure that needs it."""
    tried = []

    def nothing(*_: object, **__: object) -> None:
        tried.append(1)
        raise EngineError("no Docker engine answers")

    monkeypatch.setattr("benchmarks.place.workshop", nothing)
    for _ in range(2):
        with pytest.raises(EngineError, match="no Docker engine answers"):
            somewhere.workshop.environ.keys()
    assert tried == [1]
    assert somewhere.in_use is None


def test_a_program_that_is_not_there_is_a_contestant_that_is_not_there(somewhere: Place) -> None:
    """Never left out."""
    nothing = somewhere.command(somewhere.folder)
    assert somewhere.peer("them", nothing, program="no-such-program").sample == "not found here"
    assert callable(somewhere.peer("us", nothing).sample)


def test_a_place_is_gone_afterwards() -> None:
    """And nothing that was made in it was made twice."""
    with place(install=False, emit=ignore, cancel=Cancel()) as where:
        made = where.once("a", lambda folder: folder)
        assert where.once("a", lambda _: pytest.fail("made twice")) == made
        assert made.is_dir()
    assert not where.folder.exists()


@pytest.fixture
def command(somewhere: Place) -> Callable[[str], Command]:
    return lambda code: somewhere.command(somewhere.folder, (sys.executable, "-c", code))


def test_a_command_that_fails_says_its_last_lines(command: Callable[[str], Command]) -> None:
    """Not what it says to type next: that is for whoever typed it."""
    with pytest.raises(CommandFailed, match="ended with 1") as caught:
        command("import sys; sys.exit('error: because\\n  next: do that')").seconds()
    assert caught.value.output[-1] == "error: because"


def test_memory_is_of_all_that_was_started(command: Callable[[str], Command]) -> None:
    """A child's child counts, and what ran before does not."""
    held = 80_000_000
    hold = f"x = bytearray({held}); import time; time.sleep(0.3)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    before = bytearray(2 * held)
    assert held <= command(code).megabytes() * 1_000_000 < 2 * held
    assert len(before) == 2 * held
    with watched() as peak:
        pass
    assert peak() < held


def test_processes_are_found_by_their_parents() -> None:
    """However deep."""
    parents = {2: (1, 0), 3: (2, 0), 4: (3, 0), 5: (9, 0)}
    assert descendants(2, parents) == {3, 4}


def test_a_process_may_be_called_anything() -> None:
    """Its name may look like the fields after it."""
    fields = "S 12 " + " ".join(["0"] * 19) + " 3 0"
    parent, resident = parsed(f"77 (a) R (b)) {fields}")
    assert parent == 12
    assert resident % 3 == 0
    assert resident > 0


def test_the_machine_is_described() -> None:
    """As far as it tells."""
    told = "processor\t: 0\nmodel name\t: A: B\nprocessor\t: 1\nmodel name\t: C\n"
    assert hardware.cpu_of(told) == "A: B"
    assert hardware.cpu_of("") == ""
    assert hardware.memory_of("MemTotal:   1000 kB\n") == 1_024_000
    assert hardware.memory_of("MemTotal: lots\n") == 0
    assert hardware.machine().cores >= 1


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("Docker version 28.2.2, build e6534b4", "28.2.2"),
        ("Docker Compose version v5.6.1", "5.6.1"),
        ("ansible-playbook [core 2.19.14]\n  python 3.11", "2.19.14"),
        ("none", ""),
    ],
)
def test_versions_are_read_from_what_programs_say(told: str, version: str) -> None:
    """The first one is the program's own."""
    assert numbered(told) == version


# the table


def test_the_table_says_who_is_slower_and_who_is_not_there() -> None:
    """In columns, so that it can be read as it is."""
    shown = table.markdown(a_report(a_contest(Goal(1.5, "quick")))).splitlines()
    lines = [line for line in shown if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[2] == ["a build", "**stagekit**", "1.00 s", "1.00 – 1.00 s", "", ""]
    assert cells[3][4:] == ["2.00 × (2.00 – 2.00)", "slower; ABOVE THE GOAL of 1.5"]
    assert cells[4][4:] == ["0.50 × (0.50 – 0.50)", "floor; faster"]
    assert cells[5] == ["", "away", "not found here", "", "", ""]


def test_below_the_table_stands_where_stagekit_loses() -> None:
    """To peers: a floor is no peer. And which goals are not met."""
    text = table.markdown(a_report(a_contest(Goal(1.5, "quick"))))
    assert "- a build: 2.00 × (2.00 – 2.00) of quick" in text
    assert "- a build: 2.00 × quick, goal 1.5" in text
    within = table.markdown(a_report(a_contest(Goal(2.0, "quick"))))
    assert within.endswith("Goals that are not met:\n\n- none")


def test_what_failed_is_told_below_the_table() -> None:
    """Its reason would not fit in it."""
    row = Row("them", "peer", absent="failed: there: ended with 1")
    text = table.markdown(a_report(Contest("x", "a thing", "s", 5, None, (row,))))
    assert "| them | failed |" in text
    assert "- a thing: them failed: there: ended with 1" in text


def test_the_table_names_machine_date_and_versions() -> None:
    """And says where there are too few rounds."""
    text = table.markdown(a_report())
    assert "2026-04-06, 2 cores of A processor, 8 GB, Linux 6.1; load when it began: 0.5" in text
    assert "stagekit 1.0, buildx not found here" in text
    assert "QUICK" not in text
    assert "QUICK" in table.markdown(a_report(quick=True))


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(0.123, "s", "0.12 s"), (12.34, "s", "12.3 s"), (1234.5, "MB", "1,234 MB")],
)
def test_amounts(value: float, unit: str, shown: str) -> None:
    """With their unit."""
    assert table.amount(value, unit) == shown  # type: ignore[arg-type]


def test_on_a_terminal_the_table_is_rich(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same cells, whatever stands in them."""
    monkeypatch.setenv("COLUMNS", "200")
    row = Row("[bold]them[/]", "peer", absent="not found here")
    table.show(a_report(Contest("x", "[x", "s", 5, None, (row,)), a_contest()))
    shown = capsys.readouterr().out
    assert "[bold]them[/]" in shown
    assert "slower" in shown
    assert "**" not in shown


# the chart


def test_the_chart_is_an_image_with_a_name_and_a_description() -> None:
    """A screen reader gets the figures."""
    drawn = ElementTree.fromstring(chart(a_report()))
    names = {part.get("id"): part.text for part in drawn if part.get("id")}
    assert drawn.get("role") == "img"
    assert drawn.get("aria-labelledby") == " ".join(names)
    assert names["desc"] == "a build: quick 0.50 times, slow 2.00 times."


def test_bars_begin_at_one_and_go_to_either_side() -> None:
    """Who takes longer than stagekit to the right, who takes less to the left."""
    drawn = ElementTree.fromstring(chart(a_report()))
    bars = {bar.get("class"): bar for bar in drawn.iter(f"{SVG}rect") if len(bar)}
    one = Scale([0.5, 2.0]).x(1)
    assert float(bars["behind"].get("x", "")) == pytest.approx(one, abs=0.1)
    left, width = (float(bars["ahead"].get(name, "")) for name in ("x", "width"))
    assert left + width == pytest.approx(one, abs=0.1)


def test_the_scale_has_room_for_all_and_is_logarithmic() -> None:
    """Each mark is ten times the one before, and as far from it."""
    scale = Scale([0.004, 30.0])
    assert scale.marks == pytest.approx([0.001, 0.01, 0.1, 1, 10, 100])
    steps = {round(right - left, 6) for left, right in pairwise(map(scale.x, scale.marks))}
    assert len(steps) == 1
    assert Scale([]).marks == pytest.approx([0.1, 1, 10])


def test_a_name_cannot_break_the_chart() -> None:
    """Nor one that is missing: nothing compared, nothing drawn."""
    row = Row("<b>&", "peer", (1.0,), Spread(1, 1, 1), Spread(1, 1, 1))
    drawn = chart(a_report(Contest("x", "<x>", "s", 5, None, (row,))))
    assert "<b>&" in "".join(ElementTree.fromstring(drawn).itertext())
    ElementTree.fromstring(chart(a_report(Contest("x", "x", "s", 5, None, ()))))


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_chart_can_be_read_in_light_and_in_dark(palette: dict[str, str]) -> None:
    """WCAG 2.2: 4.5 to 1 for text (1.4.3), 3 to 1 for what a chart is made of (1.4.11)."""
    for name, least in {"text": 4.5, "faint": 4.5, "behind": 3.0, "ahead": 3.0}.items():
        assert contrast(palette[name], palette["back"]) >= least, name


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# the task


def test_a_report_is_read_as_it_was_printed(tmp_path: Path) -> None:
    """And what is none is an error with its place."""
    path = tmp_path / "found.json"
    path.write_bytes(msgspec.json.encode(a_report()))
    assert read(path) == a_report()
    path.write_text("{}")
    with pytest.raises(InputError, match="no report of the benchmarks"):
        read(path)
    with pytest.raises(InputError, match="no report of the benchmarks"):
        read(tmp_path / "nothing")


def test_what_is_measured_again_takes_the_place_of_what_was_found() -> None:
    """What is new comes last; date and machine stay those of the first."""
    build, run = a_contest(), msgspec.structs.replace(a_contest(), name="run")
    before = msgspec.structs.replace(a_report(build, run), quick=True)
    better, new = (
        msgspec.structs.replace(a_contest(), name=name, rounds=9) for name in ("run", "x")
    )
    found = joined(before, msgspec.structs.replace(a_report(better, new), seconds=3.0))
    assert found.contests == (build, better, new)
    assert (found.begun, found.seconds) == (before.begun, 15.0)
    assert found.quick  # the first has three rounds
    enough = msgspec.structs.replace(build, rounds=5)
    assert not joined(found, a_report(enough)).quick


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoke", "bench", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_start_is_measured(tmp_path: Path) -> None:
    """The whole way, once: everyone has a row, figures where they are here, and a chart."""
    done = bench("--only", "startup", "--rounds", "1", "--json", "--svg", str(tmp_path / "a.svg"))
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout, type=Report)
    [measured] = found.contests
    assert measured.rounds == 1
    assert found.quick
    ours, floor, *others = measured.rows
    assert ours.spread
    assert floor.ratio
    assert [row.who.split()[0] for row in others] == ["doit", "go-task", "ansible-playbook"]
    assert all(row.spread or row.absent == "not found here" for row in others)
    assert found.versions["Invoke"]
    ElementTree.fromstring((tmp_path / "a.svg").read_text("utf-8"))


def test_what_there_is_to_measure_is_listed() -> None:
    """For people and for programs."""
    listed = json.loads(bench("--list", "--json").stdout)
    assert [each["name"] for each in listed] == [measure.name for measure in MEASURES]


def test_a_measure_that_is_none_is_an_error() -> None:
    """Before anything is laid out."""
    done = bench("--only", "nothing")
    assert done.returncode == InputError.exit_code
    assert "no measure nothing" in done.stderr


# the documentation


def test_the_documentation_shows_what_was_found() -> None:
    """What was printed lies beside the page; the table and the chart are made from it."""
    found = read(ROOT / "docs/benchmarks.json")
    page = (ROOT / "docs/benchmarks.md").read_text("utf-8")
    shown = re.search(r"<!-- found -->\n\n(.*?)\n\n<!-- end -->", page, re.DOTALL)
    assert shown
    assert shown[1] == table.markdown(found)
    assert not found.quick
    assert (ROOT / "docs/benchmarks.svg").read_text("utf-8") == chart(found)
