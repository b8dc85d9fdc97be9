import { type FormEvent, useState } from 'react';
import { type Session, signIn, signOut, type Status } from './session';

const TOLD: Record<Status, string> = {
  'signed-out': 'Not signed in',
  checking: 'Checking the token',
  live: 'Live',
  reconnecting: 'Reconnecting',
  refused: 'Token refused',
  unreachable: 'Server unreachable',
};

function Mark() {
  return (
    <svg width="24" height="24" viewBox="0 0 24 24" aria-hidden="true">
      <rect width="24" height="24" rx="6" fill="#fff" opacity=".2" />
      <path
        d="M5.5 18V9.25a3.25 3.25 0 0 1 6.5 0V18m0-8.75a3.25 3.25 0 0 1 6.5 0V18"
        fill="none"
        stroke="#fff"
        strokeWidth="2.3"
        strokeLinecap="round"
      />
    </svg>
  );
}

function TokenForm({ autoFocus }: { autoFocus: boolean }) {
  const [token, setToken] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim()) void signIn(token.trim());
  };
  return (
    <form className="token" onSubmit={submit}>
      <label htmlFor="token">Token</label>
      <input
        id="token"
        type="password"
        autoComplete="off"
        spellCheck={false}
        autoFocus={autoFocus}
        aria-describedby="token-hint"
        value={token}
        onChange={(event) => setToken(event.target.value)}
      />
      <button type="submit">Sign in</button>
      <span id="token-hint">
        in <code>$MLLM_HOME/admin.token</code>
      </span>
    </form>
  );
}

export function Bar({ session }: { session: Session }) {
  const askForToken = session.token === null || session.status === 'refused';
  return (
    <header className="bar">
      <h1>
        <Mark />
        mllm
        <small>API explorer</small>
      </h1>
      {/* A token refused during work must not take the focus from the editor. */}
      {askForToken && <TokenForm autoFocus={session.token === null} />}
      <span className="spring" />
      <span className="status" role="status" data-status={session.status}>
        {TOLD[session.status]}
      </span>
      {session.token !== null && (
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      )}
    </header>
  );
}
