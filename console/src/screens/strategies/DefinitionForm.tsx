/** The fields of a definition. Each shows the errors that the engine has for its path. */
import { useId, type ReactNode } from 'react';
import type { Definition } from '../../lab/definition.ts';
import { DecimalField, SelectField, TextField } from '../../shared/form.tsx';
import { Panel } from '../../shared/Panel.tsx';
import { MoreFields } from './MoreFields.tsx';
import type { Vocabulary } from './rule/completion.ts';
import { RuleField } from './rule/RuleField.tsx';
import { useText } from './text.ts';
import { errorsAt, type DefinitionError } from './useValidation.ts';

interface Props { definition: Definition; onChange: (definition: Definition) => void; errors: readonly DefinitionError[]; vocabulary: Vocabulary }

const NO_VALUE = '';
const RULES = ['enterLong', 'exitLong', 'enterShort', 'exitShort'] as const;
const EXITS = ['stopLoss', 'takeProfit', 'trailingStop'] as const;
const DISTANCES = ['percent', 'atrMultiple', 'absolute'] as const;
const SIZES = ['equityPercent', 'riskPercent', 'volatilityPercent', 'quoteAmount'] as const;

const marksOf = (errors: readonly DefinitionError[]) => errors.map(({ start, end, message, suggestion }) =>
  ({ start: start ?? null, end: end ?? null, message, suggestion: suggestion ?? null }));

export function DefinitionForm(props: Props) {
  return (
    <div className="split">
      <div className="stack"><Rules {...props} /><Parts {...props} /></div>
      <div className="stack"><Parameters {...props} /><Exits {...props} /><MoreFields {...props} /></div>
    </div>
  );
}

function Rules({ definition, onChange, errors, vocabulary }: Props) {
  const t = useText();
  const shown = RULES.filter(rule => rule.endsWith('Long') || definition[rule] || errorsAt(errors, rule).length > 0);
  return (
    <Panel title={t('rules')}>
      <div className="body stack">
        <p className="muted">{t('rules.help')}</p>
        {shown.map(rule => (
          <RuleField key={rule} label={t(`rule.${rule}`)} value={definition[rule] ?? ''} vocabulary={vocabulary} marks={marksOf(errorsAt(errors, rule))}
            onValue={value => onChange({ ...definition, [rule]: value })} />
        ))}
      </div>
    </Panel>
  );
}

function Parts({ definition, onChange, errors, vocabulary }: Props) {
  const t = useText();
  const parts = definition.let ?? [];
  const change = (next: typeof parts) => onChange({ ...definition, let: next });
  return (
    <Panel title={t('parts')} actions={<button type="button" className="button small" onClick={() => change([...parts, { name: '', expression: '' }])}>{t('parts.add')}</button>}>
      <div className="body stack">
        <p className="muted">{t('parts.help')}</p>
        {parts.map((part, index) => {
          const change1 = (next: Partial<typeof part>) => change(parts.map((each, at) => (at === index ? { ...each, ...next } : each)));
          const at = (field: string) => errorsAt(errors, 'let', String(index), field);
          return (
            <div className="part" key={index}>
              <TextField label={t('name')} name="name" value={part.name} errors={at('name')} onChange={event => change1({ name: event.target.value })} />
              <RuleField label={t('parts.expression', { name: part.name })} value={part.expression} marks={marksOf(at('expression'))}
                vocabulary={{ ...vocabulary, parts: parts.slice(0, index).map(({ name }) => name) }} onValue={expression => change1({ expression })} />
              <Remove label={t('remove', { name: part.name })} onClick={() => change(parts.filter((_, at1) => at1 !== index))} />
            </div>
          );
        })}
      </div>
    </Panel>
  );
}

const PARAMETER_FIELDS = ['default', 'min', 'max', 'step'] as const;

function Parameters({ definition, onChange, errors }: Props) {
  const t = useText();
  const parameters = definition.parameters ?? [];
  const change = (next: typeof parameters) => onChange({ ...definition, parameters: next });
  return (
    <Panel title={t('parameters')} actions={<button type="button" className="button small" onClick={() => change([...parameters, { name: '', default: '1' }])}>{t('parameters.add')}</button>}>
      <div className="body stack">
        <p className="muted">{t('parameters.help')}</p>
        {parameters.map((parameter, index) => {
          const change1 = (field: string, value: string) =>
            change(parameters.map((each, at) => (at === index ? { ...each, [field]: value || (field === 'name' || field === 'default' ? '' : null) } : each)));
          const own = errorsAt(errors, 'parameters', String(index));
          return (
            <div className="parameter" key={index}>
              <TextField label={t('name')} name="name" value={parameter.name} errors={own} onChange={event => change1('name', event.target.value)} />
              {PARAMETER_FIELDS.map(field => (
                <DecimalField key={field} label={t(`parameter.${field}`)} name={field} value={parameter[field] ?? ''} errors={own} onValue={typed => change1(field, typed)} />
              ))}
              <Remove label={t('remove', { name: parameter.name })} onClick={() => change(parameters.filter((_, at) => at !== index))} />
            </div>
          );
        })}
      </div>
    </Panel>
  );
}

function Exits({ definition, onChange, errors }: Props) {
  const t = useText();
  return (
    <Panel title={t('exits')}>
      <div className="body stack">
        {EXITS.map(exit => (
          <Choice key={exit} label={t(`exit.${exit}`)} kinds={DISTANCES} kindText={kind => t(`distance.${kind}`)} none={t('distance.none')}
            value={definition[exit]} errors={errorsAt(errors, exit)} onValue={value => onChange({ ...definition, [exit]: value })} />
        ))}
        <TextField label={t('maxHoldingBars')} name="maxHoldingBars" inputMode="numeric" autoComplete="off" errors={errors} value={definition.maxHoldingBars ?? ''}
          onChange={({ target }) => { if (/^\d*$/.test(target.value)) onChange({ ...definition, maxHoldingBars: target.value ? Number(target.value) : null }); }} />
        <Choice label={t('sizing')} kinds={SIZES} kindText={kind => t(`size.${kind}`)} value={definition.sizing} errors={errorsAt(errors, 'sizing')}
          onValue={sizing => onChange({ ...definition, sizing: (sizing ?? { equityPercent: '' }) as unknown as Definition['sizing'] })} />
      </div>
    </Panel>
  );
}

/** One of several kinds, with its value. */
function Choice<Kind extends string>({ label, kinds, kindText, none, value, errors, onValue }: {
  label: string; kinds: readonly Kind[]; kindText: (kind: Kind) => ReactNode; none?: string;
  value: Partial<Record<Kind, string | null>> | null | undefined; errors: readonly DefinitionError[]; onValue: (value: Record<string, string> | null) => void;
}) {
  const t = useText();
  const kind = kinds.find(each => value?.[each] !== null && value?.[each] !== undefined) ?? NO_VALUE;
  const mistakes = useId();
  return (
    <div>
      <div className="choice">
        <SelectField label={label} name="kind" value={kind} onChange={({ target }) => onValue(target.value === NO_VALUE ? null : { [target.value]: (kind && value?.[kind]) || '1' })}>
          {none && <option value={NO_VALUE}>{none}</option>}
          {kinds.map(each => <option key={each} value={each}>{kindText(each)}</option>)}
        </SelectField>
        {kind !== NO_VALUE && (
          <DecimalField label={t('valueOf', { label })} name="value" aria-describedby={mistakes} value={value?.[kind] ?? ''} onValue={typed => onValue({ [kind]: typed })} />
        )}
      </div>
      <div className="mistakes" id={mistakes} aria-live="polite">{errors.map(({ message }) => <div key={message}>{message}</div>)}</div>
    </div>
  );
}

const Remove = ({ label, onClick }: { label: string; onClick: () => void }) =>
  <button type="button" className="button quiet small" aria-label={label} title={label} onClick={onClick}>×</button>;
