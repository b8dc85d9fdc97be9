// Who is signed in, and how the connection fares. The token lives in this tab only (sessionStorage)
// and travels in headers and connection parameters, never in an address.
import { useSyncExternalStore } from 'react';

export type Status = 'signed-out' | 'checking' | 'live' | 'reconnecting' | 'refused' | 'unreachable';

export interface Session {
  readonly status: Status;
  /** null: nobody is signed in; kept after a refusal during work, so that the editor stays. */
  readonly token: string | null;
}

const KEY = 'mllm.token';
const listeners = new Set<() => void>();
let session: Session = { status: 'signed-out', token: null };

function set(next: Session): void {
  if (next.status === session.status && next.token === session.token) return;
  session = next;
  listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSession(): Session {
  return useSyncExternalStore(subscribe, () => session);
}

export function bearer(): Record<string, string> {
  return session.token === null ? {} : { Authorization: `Bearer ${session.token}` };
}

/** What a request or a socket learned; ignored when it is about a token that is no longer used. */
export function report(status: Status, about: string | null): void {
  if (session.token === about && session.status !== 'signed-out') set({ ...session, status });
}

export function currentToken(): string | null {
  return session.token;
}

/** Asks the server before anything else happens, so that a wrong token is told in one place. */
export async function signIn(token: string): Promise<void> {
  set({ status: 'checking', token: null });
  const status = await probe(token);
  if (status === 'live') {
    sessionStorage.setItem(KEY, token);
    set({ status, token });
  } else {
    if (status === 'refused') sessionStorage.removeItem(KEY);
    set({ status, token: null });
  }
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  set({ status: 'signed-out', token: null });
}

/** Signs in again after a reload of the tab. */
export async function resume(): Promise<void> {
  const token = sessionStorage.getItem(KEY);
  if (token !== null) await signIn(token);
}

async function probe(token: string): Promise<Status> {
  try {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
    if (response.status === 401 || response.status === 403) return 'refused';
    const answer = (await response.json()) as { data?: unknown };
    if (answer.data) return 'live';
    return response.status < 500 ? 'refused' : 'unreachable';
  } catch {
    return 'unreachable';
  }
}
