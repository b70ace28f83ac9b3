"""What CI installs is what pyproject.toml asks for, pinned by digest; what is known against it is
looked for."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.audit import CODE, dependencies
from tests.pinned import EXTRAS, REQUIREMENTS, ROOT

PIN = re.compile(
    r"(\S+)==(\S+?)(?: ; [^\\]+?)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
)


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """The pinned versions by name."""
    text = REQUIREMENTS.read_text("utf-8")
    return {canonicalize_name(name): version for name, version, _ in PIN.findall(text)}


def asked_for(extras: tuple[str, ...] = ("", *EXTRAS)) -> Iterator[Requirement]:
    """Yield what pyproject.toml asks for, with the extras of its own that an extra takes in."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for extra in extras:
        listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
        for requirement in map(Requirement, listed):
            if requirement.name == project["name"]:
                yield from asked_for(tuple(requirement.extras))
            else:
                yield requirement


def test_the_pins_are_not_stale(pins: dict[str, str]) -> None:
    """`inv pin` renews them."""
    for requirement in asked_for():
        version = pins.get(canonicalize_name(requirement.name))
        assert version, f"{requirement} is not pinned: inv pin"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: inv pin"


def test_every_line_is_a_pin_with_digests() -> None:
    """Nothing that could be installed has none; where packages come from is the machine's own."""
    text = REQUIREMENTS.read_text("utf-8")
    body = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
    assert PIN.sub("", body).strip() == ""
    assert "://" not in text
    assert "index" not in text
    assert "inv pin" in text


def test_ci_installs_nothing_else() -> None:
    """Neither beside it, nor to build this package."""
    script = (ROOT / ".ci/run").read_text("utf-8")
    installs = re.findall(r'pip" install (.+)', script)
    assert installs == [
        "-q --require-hashes -r requirements/ci.txt",
        "-q --no-deps --no-build-isolation -e .",
    ]


def test_jinja_has_no_known_way_out() -> None:
    """Before 3.1.6, `|attr` reached str.format, and it everything (CVE-2025-27516)."""
    [jinja] = [item for item in asked_for(("",)) if item.name == "jinja2"]
    assert not jinja.specifier.contains("3.1.5")


@pytest.mark.parametrize(
    ("answer", "said", "bad"),
    [
        ("", "NOT AUDITED, the service does not answer", False),
        ("connection refused", "does not answer: connection refused", False),
        ({"dependencies": [{"name": "a", "skip_reason": "x"}]}, "knows none of 1", False),
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, "1 of 1 audited", False),
        (
            {
                "dependencies": [
                    {
                        "name": "a",
                        "version": "1",
                        "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}],
                    },
                    {"name": "b", "skip_reason": "x"},
                ]
            },
            "1 of 2 audited\na 1: CVE-1, mended in ['2']",
            True,
        ),
    ],
)
def test_what_is_known_of_dependencies(answer: object, said: str, bad: bool) -> None:
    """Somebody else's outage is said, and is no failure; a flaw is one."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    told, fails = dependencies(text)
    assert said in told
    assert fails is bad


def test_what_bandit_passes_over_has_a_reason() -> None:
    """Each on its line; `inv audit` asks bandit itself."""
    files = [ROOT / path for path in CODE if path.endswith(".py")]
    files += [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    passed = [line for line in lines if "# nosec" in line]
    assert passed
    assert all(re.search(r"# nosec B\d{3}  # \w", line) for line in passed)
