"""Bad input, through GraphQL and through the command line: told clearly, and nothing half-done."""

from collections.abc import Iterator

import pytest

from tests.e2e.refusal import (
    FAILURE,
    GATED,
    PRIVATE,
    USAGE,
    Case,
    mistake,
    nothing_happens,
    repositories,
    root_of,
)
from tests.fakes.hub import HubDouble
from tests.stack import Stack

pytestmark = pytest.mark.e2e

CASES = [
    Case("unknown repository", "NOT_FOUND", FAILURE, "acme/none does not exist", repo="acme/none"),
    Case(
        "malformed repository",
        "INVALID",
        USAGE,
        "acme/sm all",
        repo="acme/sm all",
        hints="Qwen/Qwen2.5-0.5B-Instruct",
    ),
    Case(
        "unknown revision",
        "NOT_FOUND",
        FAILURE,
        "no revision 'v9'",
        at="revision",
        hints="a branch, a tag or a commit",
        fields={"revision": "v9"},
    ),
    Case(
        "malformed revision",
        "INVALID",
        USAGE,
        "'../v1' is not a revision",
        at="revision",
        hints="a branch",
        fields={"revision": "../v1"},
    ),
    Case(
        "no file that matches",
        "INVALID",
        USAGE,
        "no file of the repository is left",
        at="allow",
        hints="the repository has 2 files, such as config.json, model.safetensors",
        fields={"allow": ["*.gguf"]},
    ),
    Case(
        "gated",
        "GATED",
        FAILURE,
        f"{GATED} is gated",
        repo=GATED,
        hints=f"/{GATED} as the owner of HF_TOKEN",
    ),
    Case(
        "private",
        "NOT_FOUND",
        FAILURE,
        "private (there is no token)",
        repo=PRIVATE,
        hints="HF_TOKEN of an account that sees it",
    ),
    *(
        Case(
            f"target {target}",
            "INVALID",
            USAGE,
            repr(target),
            at="target",
            hints="at most 8 deep",
            fields={"target": target},
        )
        for target in ("../x", "/abs", "a/../../b", "a//b", ".staging/x", "a/./b", "a/", "~/x")
    ),
    Case(
        "symlink",
        "INVALID",
        USAGE,
        "is a symbolic link",
        at="target",
        hints="choose another target",
        fields={"target": "link/inside"},
    ),
    Case(
        "file in the way",
        "CONFLICT",
        FAILURE,
        "is a file",
        at="target",
        hints="choose another target",
        fields={"target": "file/inside"},
    ),
    Case(
        "folder in the way",
        "ALREADY_EXISTS",
        FAILURE,
        "'folder' exists already",
        at="target",
        hints="overwrite",
        fields={"target": "folder"},
    ),
    Case(
        "unknown location",
        "NOT_FOUND",
        FAILURE,
        "no location 'moon'",
        at="location",
        hints="there is one: default",
        fields={"location": "moon"},
    ),
    Case(
        "priority",
        "INVALID",
        USAGE,
        "between -100 and 100",
        at="priority",
        fields={"priority": 101},
    ),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with (
        HubDouble(repositories()) as hub,
        Stack(env={"HF_ENDPOINT": hub.endpoint}) as stack,
    ):
        root = root_of(stack)
        (root / "link").symlink_to(tmp_path_factory.mktemp("outside"))
        (root / "file").write_text("in the way")
        (root / "folder").mkdir()
        yield stack


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_graphql_tells_code_field_message_and_hint(stack: Stack, case: Case):
    with nothing_happens(stack):
        error = mistake(stack, hubRepo=case.repo, **case.fields)
    assert error["code"] == case.code
    assert error["field"] == ["input", case.at]
    assert case.says in error["message"]
    assert case.hints in (error["hint"] or "")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_command_line_tells_it_on_stderr_and_fails(stack: Stack, case: Case):
    with nothing_happens(stack):
        run = stack.cli("weights", "install", case.repo, *case.options, "--watch")
    assert (run.returncode, run.stdout) == (case.exit, "")
    first, *rest = run.stderr.splitlines()
    assert first.startswith("error: ")
    assert case.says in first
    if case.hints:
        (hint,) = rest
        assert hint.startswith("hint: ")
        assert case.hints in hint


@pytest.mark.parametrize("verb", [["get"], ["logs"], ["logs", "--follow"], ["watch"], ["cancel"]])
def test_malformed_job_id_is_a_mistake_of_usage(stack: Stack, verb: list[str]):
    for wrong in ("job_1", "nonsense", "wts_01m876f6xnztdjdwxr3p4jj14h"):
        run = stack.cli("jobs", *verb, wrong)
        assert (run.returncode, run.stdout) == (USAGE, "")
        assert run.stderr.startswith(f"error: '{wrong}' is not ")
        assert "\nhint: " in run.stderr


@pytest.mark.parametrize("verb", [["get"], ["logs"], ["watch"], ["cancel"]])
def test_missing_job_is_a_failure(stack: Stack, verb: list[str]):
    run = stack.cli("jobs", *verb, "job_01m876f6xnztdjdwxr3p4jj14h")
    assert (run.returncode, run.stdout) == (FAILURE, "")
    assert "there is no job job_01m876f6xnztdjdwxr3p4jj14h" in run.stderr
