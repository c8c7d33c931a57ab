import { lazy, Suspense } from 'react';
import { useText } from '../text.ts';
import type { Mark } from './CodeEditor.tsx';
import type { Vocabulary } from './completion.ts';

const CodeEditor = lazy(() => import('./CodeEditor.tsx'));

interface Props { label: string; value: string; onValue: (value: string) => void; vocabulary: Vocabulary; marks: readonly Mark[]; isLabelHidden?: boolean }

/** A rule with its mistakes below it in words, each with a button for what would be right, where the engine knows it. */
export function RuleField({ label, value, onValue, vocabulary, marks, isLabelHidden = false }: Props) {
  const t = useText();
  const apply = ({ start, end, suggestion }: Mark) => onValue(value.slice(0, start ?? 0) + (suggestion ?? '') + value.slice(end ?? value.length));
  return (
    <div className="field">
      <span className={isLabelHidden ? 'visually-hidden' : 'label'}>{label}</span>
      <Suspense fallback={<textarea className="input code" aria-label={label} value={value} onChange={event => onValue(event.target.value)} />}>
        <CodeEditor label={label} value={value} onValue={onValue} vocabulary={vocabulary} marks={marks} replaceBy={suggestion => t('replaceBy', { suggestion })} />
      </Suspense>
      <div aria-live="polite">
        {marks.map(mark => (
          <div className="mistake" key={`${mark.start} ${mark.message}`}>
            {mark.start !== null && t('at', { column: mark.start + 1 })} {mark.message}{' '}
            {mark.suggestion !== null && <button type="button" className="button small" onClick={() => apply(mark)}>{t('replaceBy', { suggestion: mark.suggestion })}</button>}
          </div>
        ))}
      </div>
    </div>
  );
}
