/** Further entries, targets and the kind of order, as JSON: they have many forms, and few strategies have them. */
import { useState } from 'react';
import { type Definition, DefinitionFileError, parseFile, toInput } from '../../lab/definition.ts';
import { Panel } from '../../shared/Panel.tsx';
import { useText } from './text.ts';
import { errorsAt, type DefinitionError } from './useValidation.ts';

const FIELDS = ['order', 'adds', 'targets', 'warmUpTolerance', 'protectAt'] as const;

const textOf = (definition: Definition): string => {
  const input = toInput(definition);
  return JSON.stringify(Object.fromEntries(FIELDS.flatMap(field => (input[field] === undefined ? [] : [[field, input[field]]]))), null, 2);
};

export function MoreFields({ definition, onChange, errors }: { definition: Definition; onChange: (definition: Definition) => void; errors: readonly DefinitionError[] }) {
  const t = useText();
  const [typed, setTyped] = useState<string | null>(null);
  const [mistake, setMistake] = useState('');
  const change = (text: string) => {
    setTyped(text);
    try {
      const parsed = parseFile(text).definition;
      const foreign = Object.keys(parsed).find(field => !FIELDS.some(each => each === field));
      if (foreign !== undefined) throw new DefinitionFileError('unknown', foreign);
      const rest = Object.entries(definition).filter(([field]) => !FIELDS.some(each => each === field));
      onChange({ ...Object.fromEntries(rest), ...parsed } as Definition);
      setMistake('');
    } catch (error) {
      if (!(error instanceof DefinitionFileError)) throw error;
      setMistake(t(`file.${error.code}`, { field: error.field }));
    }
  };
  return (
    <Panel title={t('more')}>
      <div className="body stack">
        <p className="muted">{t('more.help')}</p>
        <textarea className="input code" rows={8} spellCheck={false} aria-label={t('more')} aria-invalid={mistake !== ''} value={typed ?? textOf(definition)}
          onChange={event => change(event.target.value)} onBlur={() => { if (!mistake) setTyped(null); }} />
        <div className="mistakes" aria-live="polite">
          {mistake}
          {FIELDS.flatMap(field => errorsAt(errors, field)).map(({ path, message }) => <div key={`${path?.join('.')} ${message}`}><code>{path?.join('.')}</code> {message}</div>)}
        </div>
      </div>
    </Panel>
  );
}
