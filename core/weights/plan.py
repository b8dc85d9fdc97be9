"""Which files of a repository an install takes, and what it is called."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from core.errors import Invalid
from core.weights.volume import MANIFEST
from infra.hub.client import HubFile

# Each part as the hub allows it: https://huggingface.co/docs/hub/repositories-getting-started; a
# repository without an owner (`gpt2`) is a legacy name that the hub still serves.
_REPO = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
PATTERNS = 50
PATTERN_CHARS = 512


def check_repo(repo: str) -> str:
    """Raises Invalid for what cannot be the name of a repository."""
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo or repo.endswith((".git", ".")):
        hint = "the name is owner/model, e.g. Qwen/Qwen2.5-0.5B-Instruct"
        raise Invalid(f"{repo!r} is not the name of a repository", field=["hubRepo"], hint=hint)
    return repo


def check_revision(revision: str | None) -> str | None:
    """Raises Invalid for what cannot be a branch, tag or commit."""
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        hint = "name a branch, a tag or a commit"
        raise Invalid(f"{revision!r} is not a revision", field=["revision"], hint=hint)
    return revision


def select(
    files: Sequence[HubFile], *, allow: Sequence[str] | None, ignore: Sequence[str] | None
) -> list[HubFile]:
    """The files that match any of `allow` (None: all) and none of `ignore`.

    Glob patterns over the whole path, `*` also crossing `/`; `dir/` means `dir/*`, as in
    huggingface_hub's `filter_repo_objects`. Raises Invalid where nothing is left, and for a file
    that has the name of mllm's own.
    """
    for name, patterns in (("allow", allow), ("ignore", ignore)):
        if patterns is not None and len(patterns) > PATTERNS:
            raise Invalid(f"at most {PATTERNS} patterns", field=[name])
        if not all(len(p) <= PATTERN_CHARS and p.isprintable() for p in patterns or ()):
            text = f"a pattern has at most {PATTERN_CHARS} printable characters"
            raise Invalid(text, field=[name])
    chosen = [
        f
        for f in files
        if (allow is None or _any(f.path, allow)) and not (ignore and _any(f.path, ignore))
    ]
    if not chosen:
        field = ["allow"] if allow is not None else ["ignore"] if ignore else ["hubRepo"]
        some = ", ".join(f.path for f in files[:5])
        hint = f"the repository has {len(files)} files" + (f", such as {some}" if some else "")
        raise Invalid("no file of the repository is left to install", field=field, hint=hint)
    for path in (f.path for f in chosen if f.path.rpartition("/")[2] == MANIFEST):
        message = f"{path!r}: {MANIFEST} is what mllm calls its own file in each folder of weights"
        raise Invalid(message, field=["ignore"], hint=f"add {path!r} to `ignore`")
    return chosen


def _any(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, p + "*" if p.endswith("/") else p) for p in patterns)
