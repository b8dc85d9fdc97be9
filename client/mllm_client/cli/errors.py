"""What the command line says about a failure, and the exit code that goes with it."""

from typer import Abort, TyperException

from mllm_client.cli import output
from mllm_client.errors import BadServerUrl, GraphQLFailure, MllmError, UserErrors

OK, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
# What the caller typed is wrong, though only the server could tell.
MISUSE_CODES = frozenset({"INVALID", "REQUIRED", "BAD_ID", "BAD_CURSOR"})


class Misuse(MllmError):
    """The command line itself is wrong. Found before the server is asked."""


def exit_code(error: BaseException) -> int:
    """The exit code for an error; never 0."""
    match error:
        case Misuse() | BadServerUrl():
            return MISUSED
        case UserErrors(errors=errors):
            return MISUSED if any(e.code in MISUSE_CODES for e in errors) else FAILED
        case GraphQLFailure(code=code):
            return MISUSED if code in MISUSE_CODES else FAILED
        case TyperException(exit_code=code):
            return code
        case Abort() | KeyboardInterrupt():
            return INTERRUPTED
        case _:
            return FAILED


def report(error: BaseException) -> int:
    """Prints `error: …` and, if there is one, `hint: …`; returns the exit code."""
    match error:
        case UserErrors(errors=errors):
            for one in errors:
                where = f" ({'.'.join(one.field)})" if one.field else ""
                say(one.message + where, one.hint)
        case MllmError(message=message, hint=hint):
            say(message, hint)
        case TyperException():
            context = getattr(error, "ctx", None)
            path = context.command_path if context is not None else "mllm"
            say(error.format_message(), f"see `{path} --help`")
        case _:
            say(
                f"{type(error).__name__}: {error}",
                "this is a defect of mllm; MLLM_DEBUG=1 shows where",
            )
    return exit_code(error)


def say(message: str, hint: str | None) -> None:
    """An error on one line, its hint on the next."""
    output.note(" ".join(message.split()), kind="error")
    if hint:
        output.note(hint, kind="hint")
