import { useState } from 'react';
import type { Status } from './session';

const SHOW_TOKEN = 'cat "${MLLM_HOME:-$HOME/.local/share/mllm}/admin.token"';

const TROUBLE: Partial<Record<Status, string>> = {
  refused: 'The server refused that token. It may be mistyped, expired or revoked, or belong to another server.',
  unreachable: 'The server did not answer. Look whether it is still running, then sign in again.',
};

function CopyButton({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  // Browsers offer the clipboard on https and loopback only.
  if (!navigator.clipboard) return null;
  return (
    <button type="button" onClick={() => void copy()}>
      {copied ? 'Copied' : 'Copy'}
    </button>
  );
}

export function Welcome({ status }: { status: Status }) {
  const trouble = TROUBLE[status];
  return (
    <section className="welcome" aria-labelledby="welcome-title">
      <h2 id="welcome-title">Sign in to explore the API</h2>
      {trouble && (
        <p className="trouble" role="alert">
          {trouble}
        </p>
      )}
      <ol>
        <li>
          Show the token that the first start of the server made, on the machine where it runs:
          <div className="command">
            <code>{SHOW_TOKEN}</code>
            <CopyButton text={SHOW_TOKEN} />
          </div>
        </li>
        <li>Paste it into the field Token at the top and press Enter.</li>
        <li>Run the examples: ask for the system, install weights, follow the job live.</li>
      </ol>
      <p className="small">
        On a cluster, ask whoever installed mllm for a token. It stays in this tab, until you close it or sign
        out, and is sent to this server only.
      </p>
    </section>
  );
}
