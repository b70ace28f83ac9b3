"""What GitHub Actions gets to see of a build."""

from __future__ import annotations

from pathlib import Path

from stagekit.builtin.github import stagekit_built
from stagekit.records import Stored
from stagekit.testing.records import a_build, sha

BUILD = Stored(record=a_build("b1"), digest=sha("record"))


def test_a_summary_and_outputs_are_appended(tmp_path: Path) -> None:
    """After what the steps before wrote, in the forms that GitHub reads."""
    summary, outputs = tmp_path / "summary", tmp_path / "outputs"
    summary.write_text("# mine\n")
    stagekit_built(BUILD, {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)})
    pin = f"registry.test/web@{sha('b1')}"
    assert outputs.read_text() == f"build=b1\nimage-web={pin}\n"
    assert summary.read_text() == (
        "# mine\n### Build b1\n\n| image | pinned as | tags |\n| --- | --- | --- |\n"
        f"| web | `{pin}` | b1, latest |\n\n"
    )


def test_elsewhere_nothing_is_written(tmp_path: Path) -> None:
    """No file appears."""
    stagekit_built(BUILD, {})
    assert list(tmp_path.iterdir()) == []
