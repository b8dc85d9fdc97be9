"""The tree of errors: each has a code of its own, and says whether trying again makes sense."""

from core import errors
from core.errors import DomainError, ErrorCode, RequestError


def test_codes_of_domain_errors_are_their_own():
    kinds = DomainError.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert ErrorCode.INTERNAL not in {kind.code for kind in kinds}
    assert [kind.__name__ for kind in kinds if kind.retryable] == ["Unavailable"]


def test_codes_of_request_errors_are_their_own():
    kinds = RequestError.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_tree_in_the_docstring_names_every_error():
    assert errors.__doc__ is not None
    for kind in (*DomainError.__subclasses__(), *RequestError.__subclasses__()):
        assert kind.__name__ in errors.__doc__
        assert kind.code in errors.__doc__


def test_error_carries_data():
    error = errors.Invalid("no", field=("input", "target"), hint="try another")
    assert (str(error), error.field, error.hint) == ("no", ["input", "target"], "try another")
    assert errors.Invalid("no").field is None
