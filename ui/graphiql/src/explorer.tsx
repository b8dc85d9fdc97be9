// GraphiQL itself; loaded after signing in, with everything heavy behind it.
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './graphiql.css';
import { GraphiQL } from 'graphiql';
import * as monaco from 'monaco-graphql/esm/monaco-editor.js';
import { useEffect, useState } from 'react';
import { EXAMPLES } from './examples';
import { defineThemes, EDITOR_THEME } from './monaco-theme';
import { openTransport } from './transport';

defineThemes(monaco);

export default function Explorer({ theme }: { theme: 'light' | 'dark' }) {
  const [transport] = useState(openTransport);
  useEffect(() => transport.dispose, [transport]);
  return (
    <GraphiQL
      fetcher={transport.fetcher}
      defaultQuery={EXAMPLES}
      forcedTheme={theme}
      editorTheme={EDITOR_THEME}
      // A header typed here would be kept in the history on disk; the token has its own place.
      isHeadersEditorEnabled={false}
      shouldPersistHeaders={false}
      inputValueDeprecation
      schemaDescription
    >
      <GraphiQL.Logo> </GraphiQL.Logo>
    </GraphiQL>
  );
}
