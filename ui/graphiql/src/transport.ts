// How GraphiQL reaches /graphql: queries by HTTP, subscriptions by graphql-transport-ws.
import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { GraphQLError } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { bearer, currentToken, report } from './session';

const PING_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
const LONGEST_WAIT_MS = 10_000;
// Bad request, token refused, scope refused: asking again would get the same answer.
const FINAL_CODES = new Set([4400, 4401, 4403]);

export interface Transport {
  readonly fetcher: Fetcher;
  dispose(): void;
}

export function openTransport(): Transport {
  const wsClient = openSocket();
  const fetcher = createGraphiQLFetcher({
    url: '/graphql',
    wsClient: { ...wsClient, subscribe: tellingWhyItClosed(wsClient) },
    fetch: authorizedFetch,
    enableIncrementalDelivery: false,
  });
  return { fetcher, dispose: () => void wsClient.dispose() };
}

async function authorizedFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const token = currentToken();
  try {
    const response = await fetch(input, { ...init, headers: { ...init.headers, ...bearer() } });
    report(response.status === 401 ? 'refused' : 'live', token);
    return await asJson(response);
  } catch {
    report('unreachable', token);
    return told('The server did not answer. Is it still running?');
  }
}

/** In the form of an answer: GraphiQL would show an exception with the stack of its own bundle. */
function told(message: string): Response {
  return Response.json({ errors: [{ message }] });
}

/** GraphiQL parses every answer as JSON; a proxy's error page would show up as a syntax error. */
async function asJson(response: Response): Promise<Response> {
  if (response.headers.get('content-type')?.includes('json')) return response;
  const text = (await response.text()).slice(0, 500);
  return told(`HTTP ${response.status}: ${text}`);
}

function tellingWhyItClosed(client: Client): Client['subscribe'] {
  return (payload, sink) =>
    client.subscribe(payload, {
      ...sink,
      error: (reason) => {
        if (!(reason instanceof CloseEvent)) return sink.error(reason);
        const message = `The server closed the subscription: ${reason.code} ${reason.reason}`;
        sink.next({ errors: [new GraphQLError(message)] });
        sink.complete();
      },
    });
}

function openSocket(): Client {
  const url = new URL('/graphql', window.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const token = currentToken();
  let socket: WebSocket | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  return createClient({
    url: url.href,
    lazy: true,
    connectionParams: bearer,
    keepAlive: PING_MS,
    retryAttempts: Infinity,
    retryWait: async (retries) => {
      // Here, not when a socket closes: one that nobody uses any more is not opened again.
      report('reconnecting', token);
      const longest = Math.min(200 * 2 ** retries, LONGEST_WAIT_MS);
      await new Promise((done) => setTimeout(done, longest * (0.5 + Math.random() / 2)));
    },
    shouldRetry: (reason) => !(reason instanceof CloseEvent && FINAL_CODES.has(reason.code)),
    on: {
      connected: (opened) => {
        socket = opened as WebSocket;
        report('live', token);
      },
      // A dead peer answers no ping; without this the browser would wait for minutes.
      ping: (received) => {
        if (!received) silence = setTimeout(() => socket?.close(4408, 'No pong'), PONG_WITHIN_MS);
      },
      pong: () => clearTimeout(silence),
      closed: (event) => {
        clearTimeout(silence);
        const { code } = event as CloseEvent;
        if (code === 4401 || code === 4403) report('refused', token);
      },
    },
  });
}
