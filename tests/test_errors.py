import pickle

import pytest

from dcsim.errors import DcsimError, InfeasibleError, Problem, ScenarioError, SimulationError


def test_a_problem_reads_file_line_path_message_value_remedy():
    problem = Problem("must be positive", "a.b", 0, "Write 1", "s.yaml", 3)

    assert str(problem) == "s.yaml:3: a.b: must be positive (got 0). Write 1"


def test_a_problem_leaves_out_what_it_does_not_know():
    assert str(Problem("is empty")) == "<scenario>: is empty"


def test_a_problem_is_one_harmless_line_whatever_the_user_wrote():
    text = str(Problem("bad\nnews", "a\n\x1b[31m", "v\n" * 200, "do\nit", "f\n.yaml", 1))

    assert text.isprintable()
    assert len(text) < 200


def test_a_scenario_error_tells_every_problem_on_a_line_of_its_own():
    error = ScenarioError([Problem("one"), Problem("two")])

    assert str(error).splitlines() == ["<scenario>: one", "<scenario>: two"]


def test_a_scenario_error_survives_the_way_between_processes():
    error = ScenarioError([Problem("one", "a", 1, "r", "f", 2)])

    assert pickle.loads(pickle.dumps(error)).problems == error.problems


@pytest.mark.parametrize("kind", [ScenarioError, InfeasibleError, SimulationError])
def test_every_error_is_a_dcsim_error(kind):
    assert issubclass(kind, DcsimError)
