import { useState } from 'react';
import { Link } from 'react-router';
import { differences } from '../../lab/definition.ts';
import { SelectField } from '../../shared/form.tsx';
import { Panel } from '../../shared/Panel.tsx';
import { Time } from '../../shared/values.tsx';
import type { StoredStrategyFragment } from './strategies.generated.ts';
import { useText } from './text.ts';

type Version = StoredStrategyFragment['versions']['nodes'][number];
const DRAFT = 'draft';

/** Two versions side by side, or one and what is being edited: what differs, field by field. */
export function Versions({ versions, draft, onTake }: { versions: readonly Version[]; draft: object; onTake: (definition: Version['definition']) => void }) {
  const t = useText();
  const [left, setLeft] = useState(versions[1]?.id ?? versions[0]?.id ?? '');
  const [right, setRight] = useState(versions.length > 1 ? versions[0]?.id ?? DRAFT : DRAFT);
  const byId = (id: string) => versions.find(version => version.id === id);
  const [before, after] = [byId(left)?.definition, right === DRAFT ? draft : byId(right)?.definition];
  const found = before && after ? differences(before, after) : [];
  const chosen = byId(left);
  const name = (id: string) => (id === DRAFT ? t('versions.draft') : t('versions.number', { number: byId(id)?.number }));
  return (
    <Panel title={t('versions')}>
      <div className="body stack">
        <div className="fields">
          <SelectField label={t('versions.left')} name="left" value={left} onChange={event => setLeft(event.target.value)}>
            {versions.map(({ id }) => <option key={id} value={id}>{name(id)}</option>)}
          </SelectField>
          <SelectField label={t('versions.right')} name="right" value={right} onChange={event => setRight(event.target.value)}>
            {[DRAFT, ...versions.map(({ id }) => id)].map(id => <option key={id} value={id}>{name(id)}</option>)}
          </SelectField>
        </div>
        {chosen && (
          <div className="row">
            <span className="muted">{name(left)}: <Time at={chosen.createdAt} /></span>
            <button type="button" className="button small" onClick={() => onTake(chosen.definition)}>{t('versions.take')}</button>
            <Link className="button small" to={`/backtests/new?version=${chosen.id}`}>{t('backtest')}</Link>
          </div>
        )}
      </div>
      {found.length === 0 ? <p className="body muted">{t('versions.same')}</p> : (
        <div className="table-wrap" tabIndex={0} role="region" aria-label={t('versions.table')}>
          <table className="table">
            <thead><tr><th scope="col">{t('versions.field')}</th><th scope="col">{name(left)}</th><th scope="col">{name(right)}</th></tr></thead>
            <tbody>
              {found.map(({ path, before: from, after: to }) => (
                <tr key={path}>
                  <th scope="row">{path}</th>
                  <td className="wrap code">{from === null ? '–' : <del>{from}</del>}</td>
                  <td className="wrap code">{to === null ? '–' : <ins>{to}</ins>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
