"""What a stack's services are built from, and with which secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from macvlan_ros.docker_cli.building import arguments
from macvlan_ros.models.containers import Build
from tests.unit.stack_text import error_of, load_text


def test_a_built_service_without_an_image_is_called_as_compose_calls_it(tmp_path: Path) -> None:
    stack = load_text(tmp_path, "{name: proj, services: {talker: {build: .}}}")
    assert (stack.services["talker"].image, stack.services["talker"].build) == ("proj-talker", True)


SECRETS = "{key: {file: ./id, name: x}, token: {environment: TOKEN}, far: {external: true}}"


def built(tmp_path: Path, secrets: str, declared: str = SECRETS) -> Build:
    """How a service is built that has these secrets, where TOKEN is 'abc'."""
    (tmp_path / ".env").write_text("TOKEN=abc\n")
    text = f"secrets: {declared}\nservices: {{ab: {{build: {{secrets: {secrets}}}}}}}"
    recipe = load_text(tmp_path, text).services["ab"].recipe
    assert recipe is not None
    return recipe


def test_a_build_s_secrets_are_files_and_variables(tmp_path: Path) -> None:
    recipe = built(tmp_path, "[key, {source: token, target: git}]")
    assert arguments("image", recipe)[2:-1] == [
        *("--secret", f"id=key,src={tmp_path}/id"),
        *("--secret", "id=git,env=TOKEN"),
    ]
    assert recipe.variables == {"TOKEN": "abc"}
    assert "abc" not in repr(recipe)
    comma = built(tmp_path, "[key]", "{key: {file: '/a,b'}}")
    assert arguments("image", comma)[3] == 'id=key,"src=/a,b"'


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ("[kee]", "is not declared in the top-level 'secrets' (did you mean 'key'?)"),
        ("[far]", "names 'far', which is external"),
        ("[none]", "needs NOT_SET, which is not set"),
        ("[{target: a}]", "has no 'source'"),
        ("[{source: key, mode: 0440}]", "RUN --mount=type=secret,mode=…"),
        ("[both]", "contradicts 'file'"),
    ],
)
def test_secrets_that_a_build_cannot_have_are_refused(
    tmp_path: Path, secrets: str, said: str
) -> None:
    more = ", none: {environment: NOT_SET}}"
    more = ", both: {file: a, environment: TOKEN}" + more if "both" in secrets else more
    assert said in error_of(lambda: built(tmp_path, secrets, SECRETS[:-1] + more))
