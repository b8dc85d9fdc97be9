// GraphiQL as static files under /static/graphiql/: no CDN, no request to any other origin.
import { defineConfig, type Plugin } from 'vite';

/** Drops the Roboto faces that GraphiQL's stylesheet embeds: the page uses Inter, as the product does. */
function withoutRoboto(): Plugin {
  return {
    name: 'without-roboto',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('/graphiql/dist/style.css')) return null;
      return { code: code.replace(/@font-face\s*\{[^}]*font-family:\s*["']?Roboto[^}]*\}/g, ''), map: null };
    },
  };
}

export default defineConfig({
  base: '/static/graphiql/',
  plugins: [withoutRoboto()],
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    // Chromium, Firefox and Safari preload modules by themselves since 2023.
    modulePreload: { polyfill: false },
    // Monaco alone is larger than the default of 500 kB; it is loaded only after signing in.
    chunkSizeWarningLimit: 4000,
  },
});
