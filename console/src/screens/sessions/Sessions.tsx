import { useState } from 'react';
import { Link } from 'react-router';
import { useQuery } from 'urql';
import { TIMEFRAMES } from '../../lab/timeframes.ts';
import { useUserEvents } from '../../live/events.tsx';
import { CheckField } from '../../shared/form.tsx';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Table, type Column } from '../../shared/Table.tsx';
import { Time } from '../../shared/values.tsx';
import { SessionsDocument, type SessionRowFragment } from './sessions.generated.ts';
import { StateBadge } from './StateBadge.tsx';
import { useText } from './text.ts';

const LIVE: SessionRowFragment['status'][] = ['STARTING', 'RUNNING', 'PAUSED', 'STOPPING'];

export default function Sessions() {
  const t = useText();
  const [isAll, setAll] = useState(true);
  const [after, setAfter] = useState<string | null>(null);
  const [{ data, error }, again] = useQuery({ query: SessionsDocument, variables: { after, status: isAll ? null : LIVE }, requestPolicy: 'cache-and-network' });
  const refresh = () => again({ requestPolicy: 'network-only' });
  useUserEvents(['TRADING_SESSION', 'HALT'], refresh);
  const page = data?.viewer?.tradingSessions;
  const columns: Column<SessionRowFragment>[] = [
    { id: 'strategy', header: t('strategy'), cell: ({ id, strategyVersion: { number, strategy } }) => <Link to={`/sessions/${id}`}>{t('version', { name: strategy.name, number })}</Link> },
    { id: 'market', header: t('market'), cell: ({ markets, timeframe }) => `${markets.map(({ symbol }) => symbol).join(', ')} · ${TIMEFRAMES[timeframe]}` },
    { id: 'account', header: t('account'), cell: ({ account }) => <>{account.name} <span className="badge">{t(`kind.${account.kind}`)}</span></> },
    { id: 'status', header: t('state'), cell: session => <StateBadge session={session} /> },
    { id: 'why', header: t('why'), wrap: true, cell: ({ statusCode, statusReason }) => (statusCode ? t(`code.${statusCode}`) : statusReason) },
    { id: 'started', header: t('started'), cell: ({ startedAt }) => <Time at={startedAt} /> },
    { id: 'stopped', header: t('stopped'), cell: ({ stoppedAt }) => stoppedAt && <Time at={stoppedAt} /> },
  ];
  return (
    <Page title={t('title')} actions={<Link className="button primary" to="/sessions/new">{t('new')}</Link>}>
      <Panel title={t('own')} actions={<CheckField label={t('ended')} checked={isAll} onChange={({ target }) => { setAll(target.checked); setAfter(null); }} />}>
        {error && !data ? <ErrorState error={error} onRetry={refresh} /> : !page ? <Loading />
          : <Table label={t('title')} columns={columns} rows={page.nodes} rowKey={({ id }) => id}
            empty={<EmptyState title={t('none.title')} action={<div className="row"><Link className="button primary" to="/sessions/new">{t('new')}</Link><Link className="button" to="/strategies">{t('toStrategies')}</Link></div>}>{t('none.text')}</EmptyState>} />}
        {page?.pageInfo.hasNextPage && <div className="body"><button type="button" className="button" onClick={() => setAfter(page.pageInfo.endCursor ?? null)}>{t('older')}</button></div>}
      </Panel>
    </Page>
  );
}
