import { useState } from 'react';
import { useParams } from 'react-router';
import { useQuery } from 'urql';
import { CandleChart, type CandleBar } from '../../charts/CandleChart.tsx';
import { decimalsOf } from '../../format/decimal.ts';
import { useStream } from '../../live/useStream.ts';
import { Page } from '../../shared/Panel.tsx';
import { EmptyState, ErrorState, Loading } from '../../shared/states.tsx';
import { CandlesDocument, LiveCandleDocument, MarketDocument } from './market.generated.ts';
import { useText } from './text.ts';
import './market.css';

export default function Market() {
  const t = useText();
  const symbol = useParams()['*'] ?? '';
  const [{ data, error }, again] = useQuery({ query: MarketDocument, variables: { symbol } });
  if (error && !data) return <ErrorState error={error} onRetry={() => again({ requestPolicy: 'network-only' })} />;
  if (!data) return <Loading />;
  if (!data.market) return <EmptyState title={t('none.title', { symbol })}>{t('none.text')}</EmptyState>;
  return <Page title={symbol}><div className="panel market-chart"><Chart symbol={symbol} digits={decimalsOf(data.market.priceIncrement)} /></div></Page>;
}

function Chart({ symbol, digits }: { symbol: string; digits: number }) {
  const t = useText();
  const [live, setLive] = useState<CandleBar | null>(null);
  const [{ data }] = useQuery({ query: CandlesDocument, variables: { symbol, timeframe: 'M1', last: 500 } });
  useStream(LiveCandleDocument, { symbol, timeframe: 'M1' }, ({ candles }) => setLive(candles));
  return <CandleChart label={t('loadingChart', { symbol })} candles={data?.market?.candles?.nodes ?? []} live={live} digits={digits} />;
}
