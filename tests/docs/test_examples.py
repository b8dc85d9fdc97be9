"""What the README shows, done against the whole server, and what that left in the log."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.docs.pages import DOCS, ROOT, blocks, keys_below
from tests.fakes.hub import HubDouble, Repository
from tests.stack import Stack

pytestmark = pytest.mark.e2e

EVENTS = "{ events(types: [%s], first: 100) { nodes { type detail } } }"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    files = {"config.json": b"{}\n", "model.safetensors": os.urandom(1 << 20)}
    repository = Repository(id="acme/tiny-llama", files=files, license="apache-2.0")
    with HubDouble([repository]) as hub, Stack(env={"HF_ENDPOINT": hub.endpoint}) as running:
        yield running


def test_the_python_example_installs_and_prints_what_it_says(stack: Stack):
    (example,) = blocks(ROOT / "README.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", example],
        env=stack.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *progress, last = done.stdout.splitlines()
    assert progress[-1] == "JobState.COMPLETED 1048579 of 1048579"
    assert last.endswith(f" file://{stack.home}/weights/from-python")


def test_input_and_result_of_an_install_are_as_documented(stack: Stack):
    stack.cli("weights", "install", "acme/tiny-llama", "--target", "documented", "--watch")
    answer = stack.graphql(EVENTS % '"job.completed"')
    (detail,) = [
        node["detail"]
        for node in answer["data"]["events"]["nodes"]
        if node["detail"]["input"]["target"] == "documented"
    ]
    page = DOCS / "events.md"
    assert set(detail["input"]) == keys_below(page, "`input` of a `WEIGHTS_INSTALL`:")
    assert set(detail["result"]) == keys_below(page, "`result` of a `WEIGHTS_INSTALL`:")
