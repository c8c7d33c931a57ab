/** A rule in CodeMirror: coloured, completed, its mistakes marked. It lives in a shadow root, whose adopted style sheets the page's policy allows. */
import { autocompletion, closeBrackets, completionKeymap, type CompletionContext } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap, setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { EditorView, keymap } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';
import { completionsAt, type Vocabulary } from './completion.ts';

export interface Mark { start: number | null; end: number | null; message: string; suggestion: string | null }

export interface CodeEditorProps {
  label: string;
  value: string;
  onValue: (value: string) => void;
  vocabulary: Vocabulary;
  marks: readonly Mark[];
  /** Where the user was writing before the editor was there; null if elsewhere. */
  cursor: number | null;
  /** Says on the button of a mistake what it would write. */
  replaceBy: (suggestion: string) => string;
}

const RULES = StreamLanguage.define<null>({
  startState: () => null,
  token: stream => {
    if (stream.eatSpace()) return null;
    if (stream.match(/^(["']).*?\1/)) return 'string';
    if (stream.match(/^\d+(\.\d+)?(e[+-]?\d+)?/i)) return 'number';
    if (stream.match(/^(and|or|not|if|else)\b/)) return 'keyword';
    if (stream.match(/^[A-Za-z_]\w*(?=\s*\()/)) return 'typeName';
    if (stream.match(/^[A-Za-z_]\w*/)) return 'variableName';
    stream.next();
    return 'operator';
  },
});

const COLOURS = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--warn)', fontWeight: '600' },
  { tag: tags.typeName, color: 'var(--accent)' },
  { tag: tags.number, color: 'var(--down)' },
  { tag: tags.string, color: 'var(--down)' },
  { tag: tags.operator, color: 'var(--muted)' },
]);

const THEME = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--bg)', border: '1px solid var(--line-strong)', borderRadius: 'var(--radius)', fontSize: '13px' },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '1px' },
  '.cm-content': { fontFamily: 'var(--mono)', caretColor: 'var(--text)', padding: '7px 3px' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--accent-soft)' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--error)', textUnderlineOffset: '3px' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--line-strong)', borderRadius: 'var(--radius)', maxWidth: 'min(560px, 90vw)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', fontSize: '12px', maxWidth: 'min(560px, 90vw)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--text)' },
  '.cm-completionDetail': { color: 'var(--muted)', fontStyle: 'normal' },
  '.cm-diagnosticAction': { backgroundColor: 'var(--accent)', color: 'var(--accent-text)' },
});

export default function CodeEditor(props: CodeEditorProps) {
  const { label, value, marks } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  useEffect(() => { latest.current = props; });

  useEffect(() => {
    if (!host.current) return undefined;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: 'open' });
    const complete = ({ state, pos, explicit }: CompletionContext) => {
      const found = completionsAt(state.doc.toString(), pos, latest.current.vocabulary);
      if (!found || (found.from === pos && !explicit && state.doc.sliceString(pos - 1, pos) !== '.')) return null;
      return { from: found.from, options: found.choices.map(({ label: name, detail, kind }) => ({ label: name, detail, type: kind })), validFor: /^\w*$/ };
    };
    const editor = new EditorView({
      root, parent: root,
      state: EditorState.create({
        doc: latest.current.value,
        selection: { anchor: Math.min(latest.current.cursor ?? 0, latest.current.value.length) },
        extensions: [
          RULES, syntaxHighlighting(COLOURS), THEME, EditorView.lineWrapping, bracketMatching(), closeBrackets(), history(),
          autocompletion({ override: [complete], icons: false }),
          keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
          EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', autocapitalize: 'off' }),
          EditorView.updateListener.of(update => { if (update.docChanged) latest.current.onValue(update.state.doc.toString()); }),
        ],
      }),
    });
    view.current = editor;
    if (latest.current.cursor !== null) editor.focus();
    return () => { view.current = null; editor.destroy(); };
  }, [label]);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const { length } = editor.state.doc;
    editor.dispatch(setDiagnostics(editor.state, marks.map(({ start, end, message, suggestion }) => {
      const to = Math.min(end ?? length, length);
      const from = Math.min(start ?? 0, to);
      const replace = suggestion === null ? [] : [{
        name: latest.current.replaceBy(suggestion),
        apply: (target: EditorView, at: number, until: number) => target.dispatch({ changes: { from: at, to: until, insert: suggestion } }),
      }];
      return { from, to, severity: 'error', message, actions: replace };
    })));
  }, [marks]);

  return <div ref={host} className="code-editor" />;
}
