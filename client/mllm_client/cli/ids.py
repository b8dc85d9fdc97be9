"""What can be seen to be wrong in an identifier without asking the server."""

import re

from mllm_client.cli.errors import Misuse

# Crockford's base32 in lower case, 26 characters as in a ULID (https://github.com/ulid/spec).
ULID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
MISREAD = str.maketrans("ilo", "110")
# The Hub's rule for repository names (huggingface_hub, validate_repo_id).
REPO = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)
REPO_CHARACTERS = 96


def job_id(text: str) -> str:
    """A job's id in its one spelling. Raises Misuse."""
    return prefixed(text, prefix="job", noun="a job")


def event_id(text: str) -> str:
    """An event's id in its one spelling. Raises Misuse."""
    return prefixed(text, prefix="evt", noun="an event")


def prefixed(text: str, *, prefix: str, noun: str) -> str:
    head, _, tail = text.strip().lower().partition("_")
    tail = tail.translate(MISREAD)
    if head != prefix:
        raise Misuse(
            f"{text!r} is not the id of {noun}", hint=f"the id of {noun} starts with {prefix}_"
        )
    if not ULID.fullmatch(tail):
        raise Misuse(f"{text!r} is not a whole id", hint=f"ids have 26 characters after {prefix}_")
    return f"{head}_{tail}"


def repo_id(text: str) -> str:
    """A model repository of the Hub, `organisation/name` or `name`. Raises Misuse."""
    wrong = len(text) > REPO_CHARACTERS or "--" in text or ".." in text or text.endswith((".", "-"))
    if wrong or not REPO.fullmatch(text):
        raise Misuse(
            f"{text!r} is not a repository of the Hub",
            hint="write organisation/name, for example Qwen/Qwen2.5-0.5B-Instruct",
        )
    return text
