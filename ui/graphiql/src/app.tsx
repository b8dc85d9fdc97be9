import { lazy, Suspense, useSyncExternalStore } from 'react';
import { Bar } from './bar';
import { useSession } from './session';
import { Welcome } from './welcome';

// Monaco is most of the page's weight: it is fetched when there is something to do with it.
const Explorer = lazy(() => import('./explorer'));
const darkQuery = window.matchMedia('(prefers-color-scheme: dark)');

function useDark(): boolean {
  return useSyncExternalStore(
    (changed) => {
      darkQuery.addEventListener('change', changed);
      return () => darkQuery.removeEventListener('change', changed);
    },
    () => darkQuery.matches,
  );
}

export function App() {
  const session = useSession();
  const theme = useDark() ? 'dark' : 'light';
  return (
    <>
      <Bar session={session} />
      <main>
        {session.token === null ? (
          <Welcome status={session.status} />
        ) : (
          <Suspense fallback={<p className="loading">Loading the editor…</p>}>
            <Explorer key={session.token} theme={theme} />
          </Suspense>
        )}
      </main>
    </>
  );
}
