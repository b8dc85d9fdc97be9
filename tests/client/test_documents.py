"""The stored documents and what is generated from them."""

import hashlib
import subprocess
import tomllib
from pathlib import Path

import pytest
from graphql import parse, validate
from mllm_client import __version__
from mllm_client._generated.documents import BY_NAME
from mllm_client.document import Document

from tests.client.double import SCHEMA

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("document", BY_NAME.values(), ids=BY_NAME.keys())
def test_stored_document_is_valid_and_says_what_it_is(document: Document) -> None:
    tree = parse(document.text)
    operation = tree.definitions[0].to_dict()

    assert validate(SCHEMA, tree) == []
    assert operation["operation"] == document.kind
    assert operation["name"]["value"] == document.name
    roots = [field["name"]["value"] for field in operation["selection_set"]["selections"]]
    assert roots == [document.root]
    assert hashlib.sha256(document.text.encode()).hexdigest() == document.sha256


def test_every_root_field_but_node_has_a_document() -> None:
    kinds = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    fields = {name for kind in kinds if kind is not None for name in kind.fields}

    assert fields - {document.root for document in BY_NAME.values()} == {"node"}


def test_generated_code_is_fresh() -> None:
    result = subprocess.run(
        [ROOT / "scripts" / "codegen", "--check"], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]

    assert project["version"] == __version__
