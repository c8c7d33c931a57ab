import { useState, type FormEvent } from 'react';
import { useQuery } from 'urql';
import { CheckField, FormErrors, TextField } from '../../shared/form.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Age, Quantity, Time } from '../../shared/values.tsx';
import { useAction } from '../../transport/useAction.ts';
import { HaltEngineDocument, OperatorOverviewDocument, ResumeEngineDocument, type OperatorOverviewQuery } from './operator.generated.ts';
import { Users } from './Users.tsx';
import { useText } from './text.ts';
import './operator.css';

type Overview = NonNullable<NonNullable<OperatorOverviewQuery['administration']>['overview']>;
type Engine = NonNullable<OperatorOverviewQuery['engine']>;
type Node = Overview['nodes'][number];

/** What an operator watches: the engine's figures, its nodes with their errors, its users, and the halt of all trading. */
export default function Operator() {
  const t = useText();
  const [{ data, error, fetching }, again] = useQuery({ query: OperatorOverviewDocument, requestPolicy: 'cache-and-network' });
  const reload = () => again({ requestPolicy: 'network-only' });
  const overview = data?.administration?.overview;
  if (error && !overview) return <ErrorState error={error} onRetry={reload} />;
  if (!data) return <Loading />;
  return (
    <Page title={t('title')} actions={overview && (
      <>
        <span className="muted">{t('asOf')} <Age at={overview.at} /></span>
        <button type="button" className="button small" disabled={fetching} onClick={reload}>{t('refresh')}</button>
      </>
    )}>
      {overview ? <><Figures overview={overview} /><Nodes nodes={overview.nodes} /></> : <EmptyState title={t('notKnown')} />}
      {data.engine && <Halt engine={data.engine} />}
      <Users />
    </Page>
  );
}

function Figures({ overview }: { overview: Overview }) {
  const t = useText();
  const { users, accounts, tradingSessions, trading, jobs } = overview;
  const figures = [
    ['users', users.total], ['live', accounts.live], ['paper', accounts.paper], ['unreconciled', accounts.unreconciled], ['running', tradingSessions.running],
    ['failed', tradingSessions.failed], ['orders', trading.activeOrders], ['doubt', trading.ordersInDoubt], ['positions', trading.openPositions],
    ['halts', trading.halts], ['jobs', jobs.queued + jobs.running], ['jobsFailed', jobs.failed],
  ] as const;
  return <dl className="operator-figures">{figures.map(([name, value]) => <div className="panel" key={name}><dt className="muted">{t(`figure.${name}`)}</dt><dd><Quantity value={String(value)} /></dd></div>)}</dl>;
}

function Nodes({ nodes }: { nodes: readonly Node[] }) {
  const t = useText();
  const columns: Column<Node>[] = [
    { id: 'name', header: t('node'), cell: ({ name, version }) => <><b>{name}</b> <span className="muted">{version}</span></> },
    { id: 'status', header: t('status'), wrap: true, cell: ({ status, lost, pending }) => <><span className={`badge ${lost ? 'bad' : status === 'READY' ? 'good' : 'warn'}`}>{t(lost ? 'lost' : `status.${status}`)}</span>{pending.length > 0 && <div className="muted">{pending.join(', ')}</div>}</> },
    { id: 'roles', header: t('roles'), wrap: true, cell: ({ roles }) => roles.join(', ') },
    { id: 'since', header: t('since'), cell: ({ startedAt }) => <Time at={startedAt} /> },
    { id: 'seen', header: t('seen'), cell: ({ seenAt }) => <Age at={seenAt} /> },
    { id: 'leases', header: t('leases'), wrap: true, cell: ({ leases }) => leases.map(({ kind, count }) => `${kind} ${count}`).join(', ') || '–' },
    { id: 'connections', header: t('connections'), align: 'end', cell: ({ connections }) => <Quantity value={String(connections)} /> },
    { id: 'cpu', header: t('cpu'), align: 'end', cell: ({ cpuShare }) => <Quantity value={(cpuShare * 100).toFixed(0)} unit="%" /> },
    { id: 'lag', header: t('lag'), align: 'end', cell: ({ eventLoopLagSeconds }) => <Quantity value={(eventLoopLagSeconds * 1000).toFixed(0)} unit="ms" /> },
    { id: 'errors', header: t('errors'), align: 'end', cell: ({ errorCount }) => <span className={errorCount > 0 ? 'error' : ''}><Quantity value={String(errorCount)} /></span> },
  ];
  const errors = nodes.flatMap(({ name, errors: logged }) => logged.map(error => ({ ...error, name }))).sort((a, b) => (a.at < b.at ? 1 : -1));
  const feeds = nodes.flatMap(({ failingFeeds }) => failingFeeds);
  return (
    <>
      <Panel title={t('nodes')}><Table label={t('nodes')} columns={columns} rows={nodes} rowKey={({ name }) => name} /></Panel>
      {feeds.length > 0 && <Panel title={t('feeds')}><ul className="body">{feeds.map(({ market, state, since }) => <li key={market}><b>{market}</b> {state} <span className="muted">{t('since')} <Time at={since} /></span></li>)}</ul></Panel>}
      {errors.length > 0 && <Panel title={t('lastErrors')}><ul className="body operator-errors">{errors.map(({ at, logger, message, name }) => <li key={`${name}${at}${message}`}><Time at={at} /> <span className="muted">{name} {logger}</span> {message}</li>)}</ul></Panel>}
    </>
  );
}

function Halt({ engine }: { engine: Engine }) {
  const t = useText();
  const halt = useAction(HaltEngineDocument);
  const resume = useAction(ResumeEngineDocument);
  const [isSure, setSure] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const reason = String(form.get('reason') ?? '').trim() || null;
    if (await halt.run({ id: engine.id, input: { reason, cancelOrders: form.has('cancelOrders') } })) setSure(false);
  };
  return (
    <Panel title={t('halt')}>
      <div className="body stack">
        <FormErrors errors={[...halt.errors, ...resume.errors]} fields={[]} />
        {engine.halt ? (
          <>
            <p className="error">{t('halt.since')} <Time at={engine.halt.since} />{engine.halt.reason && `: ${engine.halt.reason}`}</p>
            <div><button type="button" className="button primary" disabled={resume.isSending} onClick={() => void resume.run({ id: engine.id })}>{t('resume')}</button></div>
          </>
        ) : isSure ? (
          <form className="stack" onSubmit={event => void submit(event)}>
            <TextField label={t('reason')} name="reason" maxLength={200} autoFocus />
            <CheckField label={t('cancelOrders')} name="cancelOrders" defaultChecked />
            <div className="row">
              <button type="submit" className="button danger" disabled={halt.isSending}>{t('haltNow')}</button>
              <button type="button" className="button" onClick={() => setSure(false)}>{t('keep')}</button>
            </div>
          </form>
        ) : (
          <>
            <p className="muted">{t('halt.text')}</p>
            <div><button type="button" className="button danger" onClick={() => setSure(true)}>{t('haltAll')}</button></div>
          </>
        )}
      </div>
    </Panel>
  );
}
