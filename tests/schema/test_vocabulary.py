"""What the schema promises, as a whole: it is described, guarded, and says what the rows hold."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import graphql
import pytest
import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
)
from sqlalchemy import inspect

from core.feed.entity import Event
from core.feed.replay import EventGap
from core.jobs.entity import Job, JobError, JobFile
from core.system.state import Subsystem, System
from core.weights.entity import Weights, WeightsFile
from core.weights.volume import StorageUsage
from schema.root import build

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = build()
TYPES = {
    name: type_ for name, type_ in SCHEMA._schema.type_map.items() if not name.startswith("__")
}
ROOTS = ("Query", "Mutation", "Subscription")
# What a caller with any token may read. A new root field must be added here, or ask for a scope.
READ = {
    "Query": {"node", "weights", "allWeights", "storage", "job", "jobs", "events", "system"},
    "Subscription": {"jobUpdated", "jobsUpdated", "jobLogAdded", "eventAdded"},
}
# The type, and what its plain fields are read from.
STATES: dict[str, type[Any]] = {
    "Event": Event,
    "EventGap": EventGap,
    "Job": Job,
    "JobError": JobError,
    "JobFile": JobFile,
    "StorageUsage": StorageUsage,
    "Subsystem": Subsystem,
    "System": System,
    "Weights": Weights,
    "WeightsFile": WeightsFile,
}
# Names that are plain words for everybody.
OBVIOUS_ARGUMENTS = {"id", "path", "input", "filter", "endedBefore"}


def own(kind: type[Any]) -> Iterator[Any]:
    return (type_ for type_ in TYPES.values() if isinstance(type_, kind))


def requires(field: graphql.GraphQLField) -> list[str]:
    definition = field.extensions["strawberry-definition"]
    return [
        directive.scope.value
        for directive in definition.directives
        if type(directive).__name__ == "RequiresDirective"
    ]


def test_committed_schema_is_what_the_code_says():
    check = [sys.executable, "-m", "schema.export", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_export_says_what_is_stale_and_takes_no_other_argument(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "schema.export", "--nonsense"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "usage: python -m schema.export [--check]\n"


def test_schema_is_valid_graphql():
    committed = graphql.build_schema((ROOT / "schema.graphql").read_text())
    assert graphql.validate_schema(committed) == []
    assert graphql.find_breaking_changes(committed, SCHEMA._schema) == []


@pytest.mark.parametrize("name", sorted(set(TYPES) - set(ROOTS)))
def test_type_is_described(name: str):
    assert TYPES[name].description


@pytest.mark.parametrize(
    "name",
    sorted(
        n
        for n, t in TYPES.items()
        if isinstance(t, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType)
    ),
)
def test_fields_and_arguments_are_described(name: str):
    bare = []
    for field_name, field in TYPES[name].fields.items():
        if not field.description:
            bare.append(field_name)
        for argument_name, argument in getattr(field, "args", {}).items():
            if not argument.description and argument_name not in OBVIOUS_ARGUMENTS:
                bare.append(f"{field_name}({argument_name}:)")
    assert bare == []


def test_description_says_more_than_the_name():
    repeated = [
        f"{type_.name}.{name}"
        for type_ in own(GraphQLObjectType)
        for name, field in type_.fields.items()
        if field.description.lower().rstrip(".").replace(" ", "") == name.lower()
    ]
    assert repeated == []


def test_pages_have_bounds_in_their_description():
    for type_ in own(GraphQLObjectType):
        for name, field in type_.fields.items():
            if "first" in field.args:
                described = field.args["first"].description
                assert described in ("Page size, 1 to 100.", "Page size, 1 to 1000."), name
                assert isinstance(field.args["first"].default_value, int)


def test_no_default_is_null():
    arguments = [
        (f"{type_.name}.{name}({argument}:)", given.default_value)
        for type_ in own(GraphQLObjectType)
        for name, field in type_.fields.items()
        for argument, given in field.args.items()
    ]
    inputs = [
        (f"{type_.name}.{name}", given.default_value)
        for type_ in own(GraphQLInputObjectType)
        for name, given in type_.fields.items()
    ]
    assert [name for name, default in (*arguments, *inputs) if default is None] == []
    assert "= null" not in SCHEMA.as_str()


@pytest.mark.parametrize("root", ROOTS)
def test_root_field_has_a_decision_who_may_ask(root: str):
    open_fields = set()
    for name, field in TYPES[root].fields.items():
        match requires(field):
            case []:
                open_fields.add(name)
            case [scope]:
                assert scope in ("WRITE", "ADMIN"), name
            case scopes:
                pytest.fail(f"{name} asks for {scopes}")
    assert open_fields == READ.get(root, set())


def test_every_mutation_answers_with_a_payload():
    payload = TYPES["Payload"]
    for name, field in TYPES["Mutation"].fields.items():
        answer = graphql.get_named_type(field.type)
        assert payload in answer.interfaces, name
        assert str(field.type).endswith("!"), name
        assert str(answer.fields["userErrors"].type) == "[UserError!]!"


def test_mutations_are_named_noun_first_and_subscriptions_as_what_happened():
    nouns = ("weights", "job", "jobs")
    for name in TYPES["Mutation"].fields:
        assert name.startswith(nouns), name
    for name in TYPES["Subscription"].fields:
        assert name.endswith(("Updated", "Added")), name


@pytest.mark.parametrize("name", sorted(STATES))
def test_plain_fields_are_attributes_of_what_they_are_read_from(name: str):
    state = STATES[name]
    definition = SCHEMA.get_type_by_name(name)
    assert definition is not None
    plain = [field.python_name for field in definition.fields if field.base_resolver is None]
    if is_dataclass(state) and not hasattr(state, "__table__"):
        held = {field.name for field in dataclass_fields(state)}
    else:
        held = {column.key for column in inspect(state).columns}
    held |= {key for key in dir(state) if isinstance(getattr(state, key), property)}
    assert sorted(set(plain) - held) == []
    assert plain != []


def test_every_type_over_a_row_is_in_the_contract():
    over_rows = {
        type_.name
        for type_ in own(GraphQLObjectType)
        if type_.name not in ROOTS and not type_.name.endswith(("Connection", "Edge", "Payload"))
    }
    # Made field by field where they are answered.
    assert over_rows - STATES.keys() == {"JobLogLine", "PageInfo", "UserError"}


def test_every_node_is_told_by_its_row():
    node = TYPES["Node"]
    kinds = {t.name for t in own(GraphQLObjectType) if node in t.interfaces}
    assert kinds == {"Job", "Weights", "Event"}
    for kind in kinds:
        definition = SCHEMA.get_type_by_name(kind)
        assert definition is not None
        others = [state for name, state in STATES.items() if name != kind]
        is_type_of = definition.is_type_of
        assert is_type_of is not None
        assert is_type_of(object.__new__(STATES[kind]), None) is True
        assert not any(is_type_of(object.__new__(state), None) for state in others)


def test_closed_sets_are_enums_of_the_domain():
    for type_ in own(GraphQLEnumType):
        assert type_.name == type_.extensions["strawberry-definition"].wrapped_cls.__name__
        assert all(value.isupper() for value in type_.values), type_.name


def test_references_are_objects_and_no_ids():
    allowed = {"Event.subjectId", "JobFilter.subjectId"}
    found = {
        f"{type_.name}.{name}"
        for type_ in (*own(GraphQLObjectType), *own(GraphQLInputObjectType))
        for name in type_.fields
        if name.endswith("Id")
    }
    assert found <= allowed


def test_unions_are_alternatives_and_no_failures():
    assert {type_.name for type_ in own(GraphQLUnionType)} == {"FeedItem"}


def test_building_it_twice_gives_the_same():
    assert build().as_str() == SCHEMA.as_str()
    assert isinstance(SCHEMA, strawberry.Schema)
