import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { useQuery } from 'urql';
import { FigureTiles } from '../../lab/Figures.tsx';
import { TIMEFRAMES } from '../../lab/timeframes.ts';
import { useUserEvents } from '../../live/events.tsx';
import { useStream } from '../../live/useStream.ts';
import { Page, Panel } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { Age, Money, Quantity, Time } from '../../shared/values.tsx';
import { Controls } from './Controls.tsx';
import { Drift } from './Drift.tsx';
import { LiveFiguresDocument, SessionDocument, SessionPositionsDocument, type LiveFiguresSubscription, type SessionDetailFragment, type SessionPositionsSubscription } from './sessions.generated.ts';
import { Signals } from './Signals.tsx';
import { StateBadge } from './StateBadge.tsx';
import { useText } from './text.ts';
import '../../lab/lab.css';

export default function SessionDetail() {
  const { id = '' } = useParams();
  const t = useText();
  const [{ data, error }, again] = useQuery({ query: SessionDocument, variables: { id }, requestPolicy: 'cache-and-network' });
  const refresh = () => again({ requestPolicy: 'network-only' });
  useUserEvents(['TRADING_SESSION', 'HALT', 'JOB'], refresh);
  if (error && !data?.node) return <ErrorState error={error} onRetry={refresh} />;
  if (!data) return <Loading />;
  if (!data.node || !('strategyVersion' in data.node)) return <Page title={t('title')}><EmptyState title={t('missing')} action={<Link className="button" to="/sessions">{t('title')}</Link>} /></Page>;
  return <Detail session={data.node} onChange={refresh} />;
}

function Detail({ session, onChange }: { session: SessionDetailFragment; onChange: () => void }) {
  const t = useText();
  const { strategyVersion: { id, number, strategy }, account, markets, timeframe } = session;
  const isOver = session.status === 'STOPPED' || session.status === 'FAILED';
  return (
    <Page title={t('titleOf', { name: strategy.name, market: session.market.symbol })} actions={<>
      <Link className="button" to={`/strategies/${strategy.id}`}>{t('edit')}</Link>
      <Link className="button" to={`/backtests/new?version=${id}&market=${encodeURIComponent(session.market.symbol)}&timeframe=${timeframe}`}>{t('backtest')}</Link>
      <Controls session={session} onChange={onChange} />
    </>}>
      <div className="row muted">
        <StateBadge session={session} />
        <span>{t('version', { name: strategy.name, number })}</span>
        <span>{markets.map(({ symbol }) => symbol).join(', ')} · {TIMEFRAMES[timeframe]}</span>
        <span>{account.name} <span className="badge">{t(`kind.${account.kind}`)}</span></span>
        <span>{t('started')}: <Time at={session.startedAt} /></span>
        {session.stoppedAt && <span>{t('stopped')}: <Time at={session.stoppedAt} /></span>}
      </div>
      {session.parameters.length > 0 && <div className="row">{session.parameters.map(({ name, value }) => <span className="badge" key={name}>{name} = {value}</span>)}</div>}
      <Why session={session} />
      <Figures session={session} isOver={isOver} />
      {!isOver && <Positions session={session} />}
      <Signals session={session} />
      <Drift drift={session.backtestDrift} isOver={isOver} />
    </Page>
  );
}

/** Why a session is in its state, and each halt that stands over it. */
function Why({ session: { status, statusCode, statusReason, halts } }: { session: SessionDetailFragment }) {
  const t = useText();
  return (
    <>
      {(statusCode || statusReason) && <div className={`notice ${status === 'FAILED' ? 'error' : 'warn'}`} role="status">{statusCode && <strong>{t(`code.${statusCode}`)} </strong>}{statusReason}</div>}
      {halts?.map(halt => (
        <div className="notice error" role="status" key={halt.level}>
          <strong>{t(`halt.${halt.level}`)}</strong> {t('halt.since')} <Time at={halt.since} />. {halt.reason} {halt.reduceOnly && t('halt.reduceOnly')}
        </div>
      ))}
    </>
  );
}

/** The figures, live while the session is. */
function Figures({ session, isOver }: { session: SessionDetailFragment; isOver: boolean }) {
  const t = useText();
  const [live, setLive] = useState<LiveFiguresSubscription['tradingSessionMetrics'] | null>(null);
  const [failure, setFailure] = useState('');
  useStream(LiveFiguresDocument, { id: session.id }, data => { setLive(data.tradingSessionMetrics); setFailure(''); }, { isPaused: isOver, onError: setFailure });
  const figures = isOver ? session.metrics : live?.metrics ?? session.metrics;
  return (
    <Panel title={t('figures')} actions={live && !isOver && <span className="muted">{t('live')} <Age at={live.at} /></span>}>
      {failure && <div className="notice warn">{failure}</div>}
      {live && !isOver && (
        <div className="body row">
          <span>{t('unrealized')}: <Money value={live.unrealizedProfit} currency={session.market.quote} tone /></span>
          <span>{t('openPositions')}: {live.openPositions}</span>
          {live.unpricedMarkets.length > 0 && <span className="warn">{t('unpriced', { markets: live.unpricedMarkets.join(', ') })}</span>}
        </div>
      )}
      {figures ? <FigureTiles figures={figures} /> : <EmptyState title={t('figures.none')} />}
    </Panel>
  );
}

type Position = SessionPositionsSubscription['positionUpdates'];

function Positions({ session }: { session: SessionDetailFragment }) {
  const t = useText();
  const [positions, setPositions] = useState<ReadonlyMap<string, Position>>(new Map());
  useStream(SessionPositionsDocument, { id: session.id }, ({ positionUpdates }) => setPositions(known => new Map(known).set(positionUpdates.id, positionUpdates)));
  const open = [...positions.values()].filter(({ closedAt }) => closedAt === null);
  return (
    <Panel title={t('position')}>
      {open.length === 0 ? <EmptyState title={t('position.none')}>{t('position.noneText')}</EmptyState> : (
        <div className="body stack">
          {open.map(({ id, quantity, averagePrice, unrealizedProfit, market }) => (
            <div className="row" key={id}>
              <strong>{market.symbol}</strong>
              <Quantity value={quantity} /> {t('at')} <Quantity value={averagePrice} atMost={8} /> <Money value={unrealizedProfit} currency={session.market.quote} tone />
            </div>
          ))}
        </div>
      )}
    </Panel>
  );
}
