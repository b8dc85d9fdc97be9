"""GraphiQL as a person uses it, in Debian's chromium, and a witness of all that the page did."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

# Fresh profiles ask the internet for updates and field trials unless told not to; the resolver rule
# makes every name but the server's fail, so that nothing can be missed.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
TIMEOUT_MS = 20_000

# Keeps what the result pane showed over time: chromium paints faster than a test can ask.
RECORD = """() => {
  const pane = document.querySelector('.result-window');
  window.shown = [];
  new MutationObserver(() => {
    const text = pane.innerText.replaceAll('\\u00a0', ' ');
    if (text !== window.shown.at(-1)) window.shown.push(text);
  }).observe(pane, {subtree: true, childList: true, characterData: true});
}"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    path = os.environ.get("MLLM_TEST_CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(slots=True)
class Witness:
    """Addresses asked, by scheme and host, and what the page complained about."""

    origins: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.context.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))
        # Not the bound method: playwright sets an attribute on whom it belongs to.
        page.on("console", lambda message: self._said(message))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            self.origins.add("/".join(url.split("/", 3)[:3]))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location['url']})")


class Explorer:
    """One tab on the page of the server at `origin`."""

    def __init__(
        self, browser: Browser, origin: str, *, scheme: Literal["light", "dark"] = "light"
    ) -> None:
        self.context = browser.new_context(
            viewport={"width": 1360, "height": 820}, color_scheme=scheme
        )
        self.context.set_default_timeout(TIMEOUT_MS)
        self.page = self.context.new_page()
        self.witness = Witness()
        self.witness.watch(self.page)
        self._origin = origin
        self._recording = False

    def open(self) -> None:
        self.page.goto(f"{self._origin}/graphql")

    def sign_in(self, token: str) -> None:
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()

    def expect_status(self, text: str) -> None:
        expect(self.page.get_by_role("status")).to_have_text(text, timeout=TIMEOUT_MS)

    def expect_editor(self) -> None:
        """The editor is there and has learnt the schema, so that a run needs no second try."""
        editor = self.page.locator(".graphiql-query-editor .view-line")
        expect(editor.first).to_be_visible(timeout=TIMEOUT_MS)
        expect(self.page.locator(".graphiql-spinner")).to_have_count(0, timeout=TIMEOUT_MS)

    def run(self, operation: str | None = None) -> None:
        """Runs the only operation of the document, or the named one of several."""
        if not self._recording:
            self.page.evaluate(RECORD)
            self._recording = True
        button = self.page.get_by_role("button", name="Execute query")
        button.click()
        if operation is not None:
            self.page.get_by_role("menuitem", name=operation, exact=True).click()

    def write(self, document: str) -> None:
        """Puts a document of one named operation in place of the editor's, as by pasting.

        On one line: at each new one the editor adds brackets and indents, as for one who types.
        """
        operation = re.split(r"\W+", document, maxsplit=2)[1]
        self.page.locator(".graphiql-query-editor .view-line").first.click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(document)
        # The editor reads what was written a moment later; until then it would run the former one.
        tab = self.page.get_by_role("tab", selected=True)
        expect(tab).to_have_text(operation, timeout=TIMEOUT_MS)

    def result(self, *, until: str) -> str:
        """The text of the result pane as soon as it matches `until`; spaces there are `\\s`."""
        pane = self.page.locator(".result-window")
        expect(pane).to_have_text(re.compile(until), timeout=TIMEOUT_MS)
        return pane.inner_text().replace("\u00a0", " ")

    def shown(self, pattern: str) -> list[str]:
        """Group 1 of the pattern in all that the result pane has shown, without repetitions."""
        texts: list[str] = self.page.evaluate("() => window.shown")
        found = [match[1] for text in texts if (match := re.search(pattern, text))]
        return [one for one, before in zip(found, [None, *found], strict=False) if one != before]

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)
