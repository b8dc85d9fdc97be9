"""What is logged of an error: its trace, and never the values that its code was working on."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import structlog
from infra.logging import configure
from infra.settings import Telemetry

def ask(token):
    raise ValueError("no")

configure(Telemetry(log_format=sys.argv[1]), process="test")
log = structlog.get_logger()
try:
    ask("mllm_" + "secret" * 3)
except ValueError as e:
    log.error("request.failed", exc_info=e)
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_trace_tells_the_place_and_no_values(form: str):
    run = [sys.executable, "-c", PROGRAM, form]
    told = subprocess.run(run, capture_output=True, text=True, check=True)
    assert told.stdout == ""
    assert "request.failed" in told.stderr
    assert "ValueError: no" in told.stderr
    assert "secretsecret" not in told.stderr
