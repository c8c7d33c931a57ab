import { useEffect, useRef, useState, type RefObject } from 'react';
import { useText } from '../text.ts';
import type { default as CodeEditorType, Mark } from './CodeEditor.tsx';
import type { Vocabulary } from './completion.ts';

let loaded: typeof CodeEditorType | null = null;

/** The editor once it is loaded, and where the cursor was if the user was writing in the plain field that it takes the place of. */
function useCodeEditor(plain: RefObject<HTMLTextAreaElement | null>) {
  const [found, setFound] = useState<{ Editor: typeof CodeEditorType; cursor: number | null } | null>(() => loaded && { Editor: loaded, cursor: null });
  const isMissing = !found;
  useEffect(() => {
    let isWanted = isMissing;
    if (isMissing) void import('./CodeEditor.tsx').then(({ default: Editor }) => {
      loaded = Editor;
      const { current } = plain;
      if (isWanted) setFound({ Editor, cursor: current && document.activeElement === current ? current.selectionStart : null });
    }, () => undefined); // the plain field does as well
    return () => { isWanted = false; };
  }, [isMissing, plain]);
  return found;
}

interface Props { label: string; value: string; onValue: (value: string) => void; vocabulary: Vocabulary; marks: readonly Mark[]; isLabelHidden?: boolean }

/** A rule with its mistakes below it in words, each with a button for what would be right, where the engine knows it. */
export function RuleField({ label, value, onValue, vocabulary, marks, isLabelHidden = false }: Props) {
  const t = useText();
  const plain = useRef<HTMLTextAreaElement>(null);
  const found = useCodeEditor(plain);
  const apply = ({ start, end, suggestion }: Mark) => onValue(value.slice(0, start ?? 0) + (suggestion ?? '') + value.slice(end ?? value.length));
  return (
    <div className="field">
      <span className={isLabelHidden ? 'visually-hidden' : 'label'}>{label}</span>
      {found
        ? <found.Editor label={label} value={value} onValue={onValue} vocabulary={vocabulary} marks={marks} cursor={found.cursor} replaceBy={suggestion => t('replaceBy', { suggestion })} />
        : <textarea ref={plain} className="input code" aria-label={label} value={value} onChange={event => onValue(event.target.value)} />}
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
