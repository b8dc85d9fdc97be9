"""The public client: the generated methods, and finding the server as the CLI does."""

from mllm_client._generated.client import GeneratedClient
from mllm_client.config import check_url, resolve
from mllm_client.subscriptions import Lost, Retry


class Client(GeneratedClient):
    """An mllm server as typed methods, one per stored operation.

    ::

        async with Client("http://127.0.0.1:8080", token) as client:
            payload = await client.weights_install("org/model")
            async for job in client.job_updated(payload.job.id):
                print(job.state, job.bytes_done)

    Methods raise `mllm_client.errors.MllmError` and its kinds; a mutation that was refused raises
    UserErrors.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_s: float = 30.0,
        retry: Retry | None = None,
        on_lost: Lost | None = None,
    ) -> None:
        super().__init__(check_url(url), token, timeout_s=timeout_s, retry=retry, on_lost=on_lost)


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    timeout_s: float = 30.0,
    retry: Retry | None = None,
    on_lost: Lost | None = None,
) -> Client:
    """A client for the server that the command line would use; enter it with `async with`.

    None for `url` or `token`: from MLLM_SERVER and MLLM_TOKEN, else from the local server's files.
    Raises BadServerUrl, TokenFileRefused, and Unreachable when no server is named and none runs
    here.
    """
    server = resolve(url, token)
    return Client(server.url, server.token, timeout_s=timeout_s, retry=retry, on_lost=on_lost)
