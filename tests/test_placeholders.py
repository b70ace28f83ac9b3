"""What stands for a secret while a release is rendered, and where it may stand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stagekit.cancel import Cancel
from stagekit.engine.compose import find_compose
from stagekit.engine.documents import Document
from stagekit.errors import InputError, ReleaseFailed
from stagekit.inputs.placeholders import Placeholders
from stagekit.inputs.seal import model_of, seal
from stagekit.inputs.templates import Rendered, render
from stagekit.inputs.used_secrets import in_variables, secret_names, used_by
from stagekit.records import Pin

NAMES = ("API_KEY", "TOKEN")
PIN = Pin(asked="web:1", pinned="registry.test/web@sha256:" + "0" * 64, kind="digest")


def standing(names: tuple[str, ...] | None = NAMES) -> Placeholders:
    return Placeholders(names, where="environments/prod/secrets.toml", env="prod")


def rendered(root: Path, text: str, secrets: Placeholders) -> Rendered:
    template = root / "compose.yaml.j2"
    template.write_text(text)
    return render(
        template, root=root, variables={}, images={}, env="prod", project="shop", secrets=secrets
    )


def released(root: Path, text: str, secrets: Placeholders | None = None) -> dict[str, Any]:
    """The model of a template, by way of the real Compose."""
    secrets = secrets or standing()
    with secrets.explained():
        document = rendered(root, text, secrets)
        output = find_compose(os.environ, {}).config(
            [Document(text=document.text, where=document.where)],
            name="shop-prod",
            folder=root,
            variables=document.variables,
            cancel=Cancel(),
            warn=lambda _: None,
        )
    return secrets.turned_back(model_of(output))


WEB = "services:\n  web:\n    image: web:1\n"


def test_both_forms_become_a_variable_that_run_fills_in(tmp_path: Path) -> None:
    """Alone or within a text, and a text of the template's own with a dollar stays one."""
    model = released(
        tmp_path,
        WEB + "    environment:\n"
        "      A: {{ secrets.API_KEY | yaml }}\n"
        "      B: ${SECRET_TOKEN:-x}\n"
        "      C: a{{ secrets.TOKEN }}b$${STAGEKIT_SECRET_TOKEN}\n"
        "      D: {{ ('redis://:' ~ secrets.TOKEN) | yaml }}\n"
        "    configs: [page]\n"
        "configs: {page: {content: 'is ${SECRET_API_KEY}'}}\n",
    )
    assert model["services"]["web"]["environment"] == {
        "A": "${STAGEKIT_SECRET_API_KEY}",
        "B": "${STAGEKIT_SECRET_TOKEN}",
        "C": "a${STAGEKIT_SECRET_TOKEN}b$${STAGEKIT_SECRET_TOKEN}",
        "D": "redis://:${STAGEKIT_SECRET_TOKEN}",
    }
    assert model["configs"]["page"]["content"] == "is ${STAGEKIT_SECRET_API_KEY}"


def test_what_is_sealed_is_the_same_each_time(tmp_path: Path) -> None:
    """The placeholders are random, and leave no trace."""
    text = WEB + "    environment: {A: '{{ secrets.API_KEY }}', B: '${SECRET_TOKEN}'}\n"
    sealed = {
        seal(
            released(tmp_path, text),
            pins={"web": PIN},
            project="shop",
            env="prod",
            fingerprints={"API_KEY": "1", "TOKEN": "2"},
        )
        for _ in range(2)
    }
    assert len(sealed) == 1
    assert '"${STAGEKIT_SECRET_API_KEY}"' in sealed.pop()


def test_a_secret_in_an_anchor_goes_where_that_goes(tmp_path: Path) -> None:
    """Compose keeps what stands under an ``x-`` key: that is nothing by itself."""
    text = "x-env: &env {A: '${SECRET_TOKEN}'}\n" + WEB + "    environment: *env\n"
    model = released(tmp_path, text)
    assert model["services"]["web"]["environment"] == {"A": "${STAGEKIT_SECRET_TOKEN}"}


def test_a_variable_that_is_no_secret_of_it_stays_refused() -> None:
    """Only the release's own secrets may be open in what is sealed."""
    model = {"services": {"web": {"image": "web:1", "environment": {"A": "${OTHER}"}}}}
    with pytest.raises(ReleaseFailed, match=r"\$\{OTHER\} is still open"):
        seal(model, pins={"web": PIN}, project="shop", env="prod")


@pytest.mark.parametrize(
    ("service", "where", "why"),
    [
        ("labels: {a: '${SECRET_TOKEN}'}", "services.web.labels.a", "every event"),
        ("labels: ['${SECRET_TOKEN}=a']", "services.web.labels", "every event"),
        ("command: ['run', '{{ secrets.TOKEN }}']", "services.web.command", "list of processes"),
        ("healthcheck: {test: ['CMD', '${SECRET_TOKEN}']}", "services.web.healthcheck.test", "lis"),
        ("hostname: '${SECRET_TOKEN}'", "services.web.hostname", "may hold one"),
        ("environment: ['${SECRET_TOKEN}=1']", "services.web.environment", "may hold one"),
    ],
)
def test_a_secret_where_others_would_read_it_is_refused(
    tmp_path: Path, service: str, where: str, why: str
) -> None:
    """Says which, where and what instead."""
    with pytest.raises(ReleaseFailed, match="secret TOKEN would be read by more") as caught:
        released(tmp_path, f"{WEB}    {service}\n")
    assert caught.value.where == where
    assert why in caught.value.what
    assert "as an environment variable, or as a file" in str(caught.value.hint)


@pytest.mark.parametrize(
    "use", ["| upper", "| lower", "| urlencode", "| e", "| replace('T', 'x')", "| reverse"]
)
def test_a_value_that_no_release_knows_cannot_be_changed(tmp_path: Path, use: str) -> None:
    """A filter would have worked on what stands for it: nothing wrong arrives, it is refused."""
    text = f"{WEB}    environment: {{A: {{{{ (secrets.TOKEN {use}) | string | yaml }}}}}}\n"
    with pytest.raises((ReleaseFailed, InputError)) as caught:
        released(tmp_path, text)
    assert "secret" in caught.value.what or "must be iterable" in caught.value.what


@pytest.mark.parametrize(
    "use",
    [
        "if secrets.TOKEN",
        "if secrets.TOKEN == 'a'",
        "if secrets.TOKEN | length",
        "for x in secrets.TOKEN",
    ],
)
def test_a_template_cannot_decide_by_a_value(tmp_path: Path, use: str) -> None:
    """It would decide by what stands for it."""
    end = use.partition(" ")[0]
    with pytest.raises(InputError) as caught:
        released(tmp_path, f"{{% {use} %}}{{% end{end} %}}{WEB}")
    assert caught.value.where == "compose.yaml.j2:1"


@pytest.mark.parametrize("form", ["{{ secrets.API_KYE | yaml }}", "${SECRET_API_KYE}"])
def test_a_misspelt_secret_is_told_from_those_there_are(tmp_path: Path, form: str) -> None:
    """With the template's line, the near name and the command that sets it."""
    with pytest.raises(InputError) as caught:
        released(tmp_path, f"{WEB}    environment:\n      A: {form}\n")
    assert caught.value.where == "compose.yaml.j2:5"
    hint = "did you mean API_KEY?; inv secrets.set API_KYE --env prod sets it"
    assert caught.value.hint == hint


def test_where_only_a_run_can_tell_every_name_is_one(tmp_path: Path) -> None:
    """As with the environment of whoever runs it."""
    text = WEB + "    environment: {A: '${SECRET_ANY}', B: '{{ secrets.OTHER }}'}\n"
    assert secret_names(released(tmp_path, text, standing(None))) == ("ANY", "OTHER")


def test_composes_own_errors_speak_of_the_secret(tmp_path: Path) -> None:
    """And not of what stood for it."""
    with pytest.raises(ReleaseFailed) as caught:
        released(tmp_path, f"{WEB}    ports: ['${{SECRET_TOKEN}}:80']\n")
    assert "${SECRET_TOKEN}" in f"{caught.value.what} {caught.value.output}"


def test_a_variable_may_not_have_a_secrets_name(tmp_path: Path) -> None:
    """``[vars]`` and secrets cannot be taken for each other."""
    (tmp_path / "compose.yaml").write_text(WEB)
    with pytest.raises(InputError, match="'SECRET_A' is taken"):
        render(
            tmp_path / "compose.yaml",
            root=tmp_path,
            variables={"SECRET_A": "x"},
            images={},
            env="prod",
            project="shop",
        )


def model(**service: Any) -> dict[str, Any]:
    return {
        "services": {"web": {"image": "web:1", **service}, "other": {"image": "web:1"}},
        "secrets": {"one": {"environment": "ONE"}},
        "configs": {"page": {"content": "${STAGEKIT_SECRET_THREE}"}},
    }


def test_a_service_uses_what_it_is_given() -> None:
    """As file, as variable, and by its configs; another service does not."""
    given = model(
        secrets=[{"source": "one"}],
        environment={"A": "x${STAGEKIT_SECRET_TWO}", "B": "$${STAGEKIT_SECRET_NO}"},
        configs=[{"source": "page"}],
    )
    assert used_by(given, given["services"]["web"]) == ("ONE", "THREE", "TWO")
    assert used_by(given, given["services"]["other"]) == ()
    assert secret_names(given) == ("ONE", "THREE", "TWO")
    assert in_variables(given) == ("TWO",)


def labels(fingerprints: dict[str, str]) -> dict[str, str | None]:
    given = model(secrets=[{"source": "one"}]) | {"configs": {}}
    text = seal(
        given,
        pins={"web": PIN, "other": PIN},
        project="shop",
        env="prod",
        fingerprints=fingerprints,
    )
    from stagekit.inputs.document import parse

    services = parse(text.encode())["services"]
    return {name: services[name]["labels"].get("stagekit.secrets") for name in services}


def test_a_label_changes_with_the_secrets_a_service_uses() -> None:
    """And with no other; without a fingerprint there is none."""
    first, again, other, unrelated = (
        labels({"ONE": one, "TWO": two})
        for one, two in (("a", "b"), ("a", "b"), ("c", "b"), ("a", "x"))
    )
    assert first == again == unrelated
    assert first["web"] != other["web"]
    assert first["other"] is other["other"] is None
    assert labels({}) == {"web": None, "other": None}


def test_a_read_only_service_takes_no_file() -> None:
    """Says what to do instead."""
    with pytest.raises(ReleaseFailed, match="which read_only forbids") as caught:
        seal(
            model(secrets=[{"source": "one"}], read_only=True),
            pins={"web": PIN, "other": PIN},
            project="shop",
            env="prod",
        )
    assert caught.value.where == "services.web.secrets"
    assert "${SECRET_NAME}" in str(caught.value.hint)
