import { useRef, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useQuery } from 'urql';
import { DefinitionFileError, parseFile } from '../../lab/definition.ts';
import { useErrorText } from '../../shared/errors.ts';
import { CheckField } from '../../shared/form.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { showToast } from '../../shared/toasts.tsx';
import { Time } from '../../shared/values.tsx';
import { useRequestKey } from '../../transport/idempotency.ts';
import { useSafeMutation } from '../../transport/useSafeMutation.ts';
import { ArchiveStrategyDocument, CreateStrategyDocument, StrategiesDocument, TemplatesDocument, type StrategyRowFragment } from './strategies.generated.ts';
import { useText } from './text.ts';
import './strategies.css';

export default function Strategies() {
  const t = useText();
  return (
    <Page title={t('title')} actions={<><Import /><Link className="button primary" to="/strategies/new">{t('new')}</Link></>}>
      <Own />
      <Templates />
    </Page>
  );
}

function Own() {
  const t = useText();
  const [archived, setArchived] = useState(false);
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, error }, again] = useQuery({ query: StrategiesDocument, variables: { archived, after }, requestPolicy: 'cache-and-network' });
  const refresh = () => again({ requestPolicy: 'network-only' });
  const page = data?.viewer?.strategies;
  const columns: Column<StrategyRowFragment>[] = [
    { id: 'name', header: t('name'), wrap: true, cell: ({ id, name, description }) => <><Link to={`/strategies/${id}`}>{name}</Link>{description && <div className="muted about">{description}</div>}</> },
    { id: 'version', header: t('version'), align: 'end', cell: ({ version }) => version.number },
    { id: 'changed', header: t('changedAt'), cell: ({ version }) => <Time at={version.createdAt} /> },
    { id: 'sessions', header: t('sessions'), align: 'end', cell: ({ tradingSessions }) => tradingSessions?.nodes.length ?? 0 },
    { id: 'actions', header: t('actions'), cell: row => <Actions strategy={row} onChange={refresh} /> },
  ];
  return (
    <Panel title={t('own')} actions={<CheckField label={t('archived')} checked={archived} onChange={({ target }) => { setArchived(target.checked); setAfter(null); }} />}>
      {error && !data ? <ErrorState error={error} onRetry={refresh} /> : !page ? <Loading />
        : <Table label={t('title')} columns={columns} rows={page.nodes} rowKey={({ id }) => id}
          empty={<EmptyState title={t(archived ? 'none.archived' : 'none.title')}>{archived ? '' : t('none.text')}</EmptyState>} />}
      {(page?.pageInfo.hasNextPage ?? false) && <div className="body"><button type="button" className="button" onClick={() => setAfter(page?.pageInfo.endCursor ?? null)}>{t('older')}</button></div>}
    </Panel>
  );
}

function Actions({ strategy, onChange }: { strategy: StrategyRowFragment; onChange: () => void }) {
  const t = useText();
  const { ofPayload } = useErrorText();
  const [archive, isSending] = useSafeMutation(ArchiveStrategyDocument);
  const send = async () => {
    const outcome = await archive({ id: strategy.id });
    if (outcome.kind === 'rejected') showToast(outcome.errors.map(ofPayload).join(' '), 'error');
    if (outcome.kind === 'unknown') showToast(t('unknown'), 'error');
    onChange();
  };
  return (
    <div className="row nowrap">
      <Link className="button small" to={`/backtests/new?version=${strategy.version.id}`} aria-label={t('backtest.of', { name: strategy.name })}>{t('backtest')}</Link>
      {!strategy.archivedAt && <Link className="button small" to={`/sessions/new?version=${strategy.version.id}`} aria-label={t('start.of', { name: strategy.name })}>{t('start')}</Link>}
      {!strategy.archivedAt && <button type="button" className="button small quiet" disabled={isSending} aria-label={t('archive.of', { name: strategy.name })} onClick={() => void send()}>{t('archive')}</button>}
    </div>
  );
}

function Templates() {
  const t = useText();
  const [{ data, error }, again] = useQuery({ query: TemplatesDocument });
  return (
    <Panel title={t('templates')}>
      <p className="body muted">{t('templates.help')}</p>
      {error && !data ? <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} /> : !data ? <Loading /> : (
        <ul className="templates">
          {data.strategyTemplates.map(({ name, title, description, source, differences }) => (
            <li key={name}>
              <h3>{title}</h3>
              <p>{description}</p>
              <details><summary>{t('templates.source')}</summary><p className="muted">{source}</p>{differences && <p className="muted">{differences}</p>}</details>
              <Link className="button small" to={`/strategies/new?template=${encodeURIComponent(name)}`} aria-label={t('templates.useOf', { title })}>{t('templates.use')}</Link>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** Stores the strategy of a file, as `r3edge strategy export` and the editor write it. */
function Import() {
  const t = useText();
  const navigate = useNavigate();
  const { ofPayload } = useErrorText();
  const input = useRef<HTMLInputElement>(null);
  const [create, isSending] = useSafeMutation(CreateStrategyDocument, { isIdempotent: true });
  const { keyOf, settle } = useRequestKey();
  const read = async (file: File) => {
    try {
      const { name, description, definition } = parseFile(await file.text());
      const given = { name: name || file.name.replace(/\.json$/, ''), description: description || null, definition };
      const outcome = await create({ input: { ...given, idempotencyKey: keyOf(given) } });
      if (outcome.kind !== 'unknown') settle();
      if (outcome.kind === 'done' && outcome.payload.strategy) return void navigate(`/strategies/${outcome.payload.strategy.id}`);
      showToast(outcome.kind === 'rejected' ? outcome.errors.map(ofPayload).join(' ') : t('unknown'), 'error');
    } catch (error) {
      if (!(error instanceof DefinitionFileError)) throw error;
      showToast(t(`file.${error.code}`, { field: error.field }), 'error');
    }
    return undefined;
  };
  return (
    <>
      <input ref={input} type="file" accept=".json,application/json" hidden onChange={({ target }) => { const file = target.files?.[0]; target.value = ''; if (file) void read(file); }} />
      <button type="button" className="button" disabled={isSending} onClick={() => input.current?.click()}>{t('import')}</button>
    </>
  );
}
