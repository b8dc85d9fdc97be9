"""GraphiQL on GET /graphql against the whole server, as a person uses it."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.explorer import Explorer
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
Open = Callable[..., Explorer]

INSTALL = 'mutation Begin {weightsInstall(input: {hubRepo: "%s"}) {job {id} userErrors {code}}}'
WATCH = 'subscription Watch {jobUpdated(id: "%s") {state bytesDone bytesTotal}}'
JOB_ID = r"job_\w{26}"


def watch_job(explorer: Explorer):
    """Follows the job whose id the result pane shows."""
    explorer.write(WATCH % re.search(JOB_ID, explorer.result(until=JOB_ID))[0])
    explorer.run()


def test_install_is_started_and_followed_live_until_it_is_complete(
    open_explorer: Open, stack: Stack, screenshots: Path
):
    explorer = open_explorer()
    explorer.expect_status("Not signed in")
    explorer.sign_in(stack.token)
    explorer.expect_status("Live")
    explorer.expect_editor()

    explorer.run("Install")
    assert '"userErrors": []' in explorer.result(until=JOB_ID)
    watch_job(explorer)
    last = explorer.result(until="COMPLETED")

    sizes = [int(size) for size in explorer.shown(r'"bytesDone": "(\d+)"')]
    total = int(re.search(r'"bytesTotal": "(\d+)"', last)[1])
    assert sizes == sorted(sizes)
    assert sizes[-1] == total > 0
    assert len(sizes) >= 5, f"the pane showed only {sizes}"
    assert explorer.shown(r'"state": "(\w+)"')[-2:] == ["RUNNING", "COMPLETED"]
    explorer.expect_status("Live")
    explorer.screenshot(screenshots / "graphiql-follow-light.png")
    host = stack.url.removeprefix("http://")
    assert explorer.witness.origins == {f"http://{host}", f"ws://{host}"}
    assert explorer.witness.complaints == []


def test_page_without_a_token_explains_itself_and_asks_nothing(open_explorer: Open, stack: Stack):
    explorer = open_explorer()
    explorer.expect_status("Not signed in")
    expect(explorer.page.get_by_label("Token")).to_be_focused()
    expect(explorer.page.get_by_role("main")).to_contain_text("admin.token")
    explorer.page.wait_for_load_state("networkidle")
    assert explorer.witness.origins == {stack.url}
    assert explorer.witness.complaints == []


def test_wrong_token_is_refused_and_a_right_one_after_it_taken(open_explorer: Open, stack: Stack):
    explorer = open_explorer()
    explorer.sign_in("not-a-token")
    explorer.expect_status("Token refused")
    expect(explorer.page.get_by_role("alert")).to_contain_text("refused that token")
    explorer.sign_in(stack.token)
    explorer.expect_status("Live")
    explorer.expect_editor()


def test_token_lives_in_its_tab_only(open_explorer: Open, stack: Stack):
    explorer = open_explorer()
    explorer.sign_in(stack.token)
    explorer.expect_editor()
    explorer.run("System")
    explorer.result(until='"version"')
    explorer.page.reload()
    explorer.expect_status("Live")
    kept = explorer.context.storage_state()
    assert stack.token not in str(kept)
    assert stack.token not in explorer.page.url

    other = explorer.context.new_page()
    other.goto(explorer.page.url)
    expect(other.get_by_role("status")).to_have_text("Not signed in")

    explorer.page.get_by_role("button", name="Sign out").click()
    explorer.expect_status("Not signed in")
    explorer.page.reload()
    explorer.expect_status("Not signed in")


def test_colours_follow_the_system(open_explorer: Open, stack: Stack, screenshots: Path):
    explorer = open_explorer(scheme="dark")
    explorer.sign_in(stack.token)
    explorer.expect_editor()
    body = explorer.page.locator("body")
    expect(body).to_have_class(re.compile("graphiql-dark"))
    expect(body).to_have_css("background-color", "rgb(28, 38, 45)")
    explorer.screenshot(screenshots / "graphiql-dark.png")
    explorer.page.emulate_media(color_scheme="light")
    expect(body).to_have_class(re.compile("graphiql-light"))
    expect(body).to_have_css("background-color", "rgb(249, 249, 250)")
    assert explorer.witness.complaints == []


def test_subscription_outlives_the_process_that_served_it(open_explorer: Open, stack: Stack):
    explorer = open_explorer()
    explorer.sign_in(stack.token)
    explorer.expect_editor()
    explorer.write(INSTALL % "acme/tiny-llama-gguf")
    explorer.run()
    watch_job(explorer)
    explorer.result(until=r'RUNNING".*bytesDone":\s"[1-9]')
    os.kill(stack.pids()["api"], signal.SIGKILL)
    explorer.result(until="COMPLETED")
    explorer.expect_status("Live")
