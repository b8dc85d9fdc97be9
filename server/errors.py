"""How errors leave the server: the domain's with code and hint, defects masked and logged."""

from collections.abc import Mapping

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from strawberry.extensions import MaskErrors
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from core.errors import DomainError, ErrorCode, LimitExceeded, RequestError
from infra.db.store import DatabaseFullError, DatabaseUnavailableError
from resolvers.context import Context

log = structlog.get_logger()

MASKED = "Internal error"
UNAVAILABLE = "the database does not answer; try again later"
FULL = "the disk of the database is full: nothing was changed"


class ToldErrors(MaskErrors):
    """Replaces each error of a result, over HTTP and over WebSockets, by what the caller may
    see.
    """

    def __init__(self) -> None:
        super().__init__(error_message=MASKED)

    def _process_errors(self, errors: list[GraphQLError]) -> list[GraphQLError]:
        context = self.execution_context.context
        request_id = context.request_id if isinstance(context, Context) else "-"
        return [told(error, request_id) for error in errors]


async def database_unavailable(request: Request, error: Exception) -> Response:
    """503 in the shape of a GraphQL answer: not even the caller's token can be looked up."""
    log.warning("request.database_unavailable", path=request.url.path, error=str(error))
    told = {"message": UNAVAILABLE, "extensions": {"code": ErrorCode.UNAVAILABLE.value}}
    return JSONResponse({"data": None, "errors": [told]}, 503, headers={"Retry-After": "5"})


def told(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error as the caller sees it. What is no mistake of the caller is logged with its
    trace.
    """
    original = error.original_error
    # A resolver's error that crossed a list or an await may be wrapped more than once.
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if isinstance(error, GraphQLSyntaxError) and "Parsing aborted" in error.message:
        return _with(error, error.message, {"code": LimitExceeded.code})
    match original:
        # Syntax, validation, variables; a document without the operation that was named
        case None | GraphQLError() | CannotGetOperationTypeError() | InvalidOperationTypeError():
            return error
        case DomainError():
            extensions = {
                "code": original.code.value,
                "hint": original.hint,
                "field": original.field,
            }
            return _with(error, original.message, extensions)
        case RequestError():
            return _with(error, original.message, {"code": original.code, "hint": original.hint})
        case DatabaseFullError():
            log.warning("request.database_full", request_id=request_id, error=str(original))
            hint = "free space on that disk, then try again; jobs can be cancelled meanwhile"
            return _with(error, FULL, {"code": ErrorCode.NO_SPACE.value, "hint": hint})
        case DatabaseUnavailableError():
            log.warning("request.database_unavailable", request_id=request_id, error=str(original))
            return _with(error, UNAVAILABLE, {"code": ErrorCode.UNAVAILABLE.value})
        case _:
            log.error("request.failed", request_id=request_id, path=error.path, exc_info=original)
            return _with(error, MASKED, {"code": "INTERNAL", "requestId": request_id})


def _with(error: GraphQLError, message: str, extensions: Mapping[str, object]) -> GraphQLError:
    told = {key: value for key, value in extensions.items() if value is not None}
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=told,
    )
