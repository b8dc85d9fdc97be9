// The colours of code, from the product's palette instead of GraphiQL's pink.
import type * as Monaco from 'monaco-editor';

export const EDITOR_THEME = { light: 'mllm-light', dark: 'mllm-dark' };

interface Palette {
  keyword: string;
  field: string;
  type: string;
  argument: string;
  string: string;
  number: string;
  comment: string;
  surface: string;
  accent: string;
  error: string;
}

const LIGHT: Palette = {
  keyword: '#0055BD',
  field: '#17191E',
  type: '#6D00EB',
  argument: '#893607',
  string: '#1E6C5F',
  number: '#AA4409',
  comment: '#505968',
  surface: '#FFFFFF',
  accent: '#116ED0',
  error: '#D52536',
};

const DARK: Palette = {
  keyword: '#55A4F1',
  field: '#FFFFFF',
  type: '#C5A6FD',
  argument: '#F6A650',
  string: '#7ACCC3',
  number: '#F8B974',
  comment: '#94ABBC',
  surface: '#202C33',
  accent: '#55A4F1',
  error: '#EA8E9A',
};

function rules(palette: Palette): Monaco.editor.ITokenThemeRule[] {
  const colour = (token: string, value: string) => ({ token, foreground: value.slice(1) });
  return [
    colour('', palette.field),
    colour('keyword', palette.keyword),
    colour('key.identifier', palette.field),
    colour('type.identifier', palette.type),
    colour('argument.identifier', palette.argument),
    colour('annotation', palette.type),
    colour('string', palette.string),
    colour('string.key.json', palette.keyword),
    colour('string.value.json', palette.string),
    colour('number', palette.number),
    colour('comment', palette.comment),
  ];
}

function colours(palette: Palette): Monaco.editor.IColors {
  const tint = `${palette.accent}22`;
  return {
    'editor.background': '#FFFFFF00', // the container's own colour shows through
    'editor.foreground': palette.field,
    'editorLineNumber.foreground': palette.comment,
    'editorLineNumber.activeForeground': palette.accent,
    'editorError.foreground': palette.error,
    'scrollbar.shadow': '#FFFFFF00',
    'editorWidget.background': palette.surface,
    'editorHoverWidget.background': palette.surface,
    'editorSuggestWidget.background': palette.surface,
    'editorSuggestWidget.selectedBackground': tint,
    'menu.background': palette.surface,
    'quickInput.background': palette.surface,
    'list.hoverBackground': tint,
    'list.highlightForeground': palette.accent,
    'textLink.foreground': palette.accent,
    focusBorder: palette.accent,
  };
}

export function defineThemes(monaco: typeof Monaco): void {
  for (const [name, base, palette] of [
    [EDITOR_THEME.light, 'vs', LIGHT],
    [EDITOR_THEME.dark, 'vs-dark', DARK],
  ] as const) {
    monaco.editor.defineTheme(name, { base, inherit: true, rules: rules(palette), colors: colours(palette) });
  }
}
