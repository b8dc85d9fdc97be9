// How GraphiQL reaches /graphql: queries by HTTP, subscriptions by graphql-transport-ws.
import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { createClient, type Client } from 'graphql-ws';
import { bearer, currentToken, report } from './session';

const PING_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
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
    wsClient,
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
  } catch (error) {
    report('unreachable', token);
    throw new Error('The server did not answer. Is it still running?', { cause: error });
  }
}

/** GraphiQL parses every answer as JSON; a proxy's error page would show up as a syntax error. */
async function asJson(response: Response): Promise<Response> {
  if (response.headers.get('content-type')?.includes('json')) return response;
  const text = (await response.text()).slice(0, 500);
  return Response.json({ errors: [{ message: `HTTP ${response.status}: ${text}` }] });
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
    shouldRetry: (reason) => !(reason instanceof CloseEvent && FINAL_CODES.has(reason.code)),
    on: {
      connecting: (isRetry) => isRetry && report('reconnecting', token),
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
        else if (code !== 1000 && code !== 4400) report('reconnecting', token);
      },
    },
  });
}
