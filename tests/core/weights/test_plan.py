"""Which files an install takes: as huggingface_hub's own filter does, which is the oracle here."""

import pytest
from huggingface_hub.utils import filter_repo_objects
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import Invalid
from core.weights import plan
from infra.hub.snapshot import HubFile

# Few characters, so that patterns match; those that fnmatch reads in its own way among them.
names = st.text("ab.*?[]!-A", min_size=1, max_size=4)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
patterns = st.one_of(
    paths,
    paths.map(lambda p: p + "/"),
    st.sampled_from(["*", "*.a", "a*", "[ab]", "[!a]*", "?", "a/*", "*/a", "**", "", "/"]),
)
optional = st.none() | st.lists(patterns, max_size=3)


def files(*names: str) -> list[HubFile]:
    return [HubFile(path, 1, None, "blob") for path in names]


@given(st.lists(paths, unique=True, min_size=1, max_size=8), optional, optional)
@example(["a/b"], ["a/"], None)
@example(["a/b", "ab"], None, ["a/"])
@example(["A"], ["a"], None)
@example(["a"], [], None)
def test_selection_is_that_of_huggingface_hub(
    found: list[str], allow: list[str] | None, ignore: list[str] | None
):
    expected = list(filter_repo_objects(found, allow_patterns=allow, ignore_patterns=ignore))
    try:
        chosen = [f.path for f in plan.select(files(*found), allow=allow, ignore=ignore)]
    except Invalid:
        chosen = []
    assert chosen == expected


def test_selection_keeps_the_order_and_the_files():
    found = files("b.safetensors", "a.json", "c.bin")
    assert plan.select(found, allow=["*.json", "*.safetensors"], ignore=None) == found[:2]


@pytest.mark.parametrize(
    ("allow", "ignore", "field"),
    [(["*.bin"], None, ["allow"]), (None, ["*"], ["ignore"]), (["a*"], ["a*"], ["allow"])],
)
def test_empty_selection_is_refused_with_what_there_is(allow, ignore, field):
    with pytest.raises(Invalid, match="no file of the repository is left") as e:
        plan.select(files("a", "b"), allow=allow, ignore=ignore)
    assert e.value.field == field
    assert e.value.hint == "the repository has 2 files, such as a, b"


def test_empty_repository_is_refused():
    with pytest.raises(Invalid) as e:
        plan.select([], allow=None, ignore=None)
    assert e.value.field == ["hubRepo"]


@pytest.mark.parametrize("name", ["allow", "ignore"])
def test_patterns_are_bounded(name: str):
    many = ["*"] * (plan.PATTERNS + 1)
    with pytest.raises(Invalid, match="at most 50 patterns") as e:
        plan.select(files("a"), **{"allow": None, "ignore": None, name: many})
    assert e.value.field == [name]


@pytest.mark.parametrize("path", ["mllm.json", "deep/er/mllm.json"])
def test_file_with_the_name_of_our_manifest_is_refused(path: str):
    """Ours would take its place after it was verified, or it would pass for one of ours."""
    with pytest.raises(Invalid, match=r"mllm\.json") as e:
        plan.select(files("a", path, "xmllm.json"), allow=None, ignore=None)
    assert (e.value.field, e.value.hint) == (["ignore"], f"add {path!r} to `ignore`")
    chosen = plan.select(files("a", path, "xmllm.json"), allow=None, ignore=[path])
    assert [f.path for f in chosen] == ["a", "xmllm.json"]


@pytest.mark.parametrize(
    "repo",
    ["Qwen/Qwen2.5-0.5B-Instruct", "gpt2", "a/b", "01-ai/Yi-1.5-9B", "x/_y", "A.b_c/d.e-f",
     "a" * 96 + "/" + "b" * 96],
)  # fmt: skip
def test_names_of_repositories(repo: str):
    assert plan.check_repo(repo) == repo


@pytest.mark.parametrize(
    "repo",
    ["", "/", "a/", "/b", "a/b/c", "a//b", "../b", "a/..", "a/b..c", "a/b--c", "a/b.git", "a/b.",
     ".a/b", "-a/b", "a/.b", "a/-b", "a b/c", "a/b\n", "a\\b", "a/b?x", "a/b#x", "a/%2e", "é/b",
     "a/b\x00", "http://hub/a", "a" * 97 + "/b", "a/" + "b" * 97],
)  # fmt: skip
def test_what_cannot_be_a_repository(repo: str):
    with pytest.raises(Invalid) as e:
        plan.check_repo(repo)
    assert e.value.field == ["hubRepo"]


@pytest.mark.parametrize("revision", [None, "main", "v1.0", "refs/pr/1", "a" * 40, "feature/x_y-z"])
def test_revisions(revision: str | None):
    assert plan.check_revision(revision) == revision


@pytest.mark.parametrize(
    "revision",
    ["", "-x", ".x", "/x", "a..b", "../x", "a b", "a\n", "a?b", "a#b", "a%2f", "a@{1}", "a~1",
     "a^", "a:b", "a\\b", "a" * 201],
)  # fmt: skip
def test_what_cannot_be_a_revision(revision: str):
    with pytest.raises(Invalid) as e:
        plan.check_revision(revision)
    assert e.value.field == ["revision"]
