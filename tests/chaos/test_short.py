"""One seed of the chaos harness in the time a test may take; `make chaos` runs the long ones."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.chaos import plan
from tests.chaos.plan import Blow, Scenario
from tests.chaos.run import Result, run
from tests.postgres import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.e2e, pytest.mark.timeout(180)]

# It deals every kind of blow that there is.
SEED = 22


def of(database: str) -> Scenario:
    return Scenario(SEED, jobs=30, kills=6, database=database)


def assert_nothing_broke(result: Result) -> None:
    assert result.broken == {}, f"again: {result.scenario.command}"
    assert sum(result.jobs.values()) >= result.scenario.jobs
    assert result.runs > result.scenario.jobs, "no run was ever interrupted"
    assert set(result.dealt) == set(Blow)


def test_blows_of_every_kind_break_no_invariant(sqlite_template: Path, tmp_path: Path):
    path = tmp_path / "mllm.db"
    shutil.copyfile(sqlite_template, path)
    scenario = of("sqlite")
    url = f"sqlite:///{path}"
    assert_nothing_broke(asyncio.run(run(scenario, home=tmp_path / "home", database_url=url)))


@pytest.mark.postgres
def test_blows_of_every_kind_break_no_invariant_on_postgres(postgres: Cluster, tmp_path: Path):
    url = postgres.create()
    result = asyncio.run(run(of("postgres"), home=tmp_path / "home", database_url=url))
    postgres.drop(url)
    assert_nothing_broke(result)


def test_seed_is_the_same_run_again():
    scenario = of("sqlite")
    assert plan.blows(scenario) == plan.blows(scenario)
    assert plan.wishes(scenario) == plan.wishes(scenario)
    assert plan.blows(scenario) != plan.blows(Scenario(SEED + 1, 30, 6, "sqlite"))
