import { useState } from 'react';
import { formatDecimal } from '../../format/decimal.ts';
import { useLanguage } from '../../i18n/text.tsx';
import { useStream } from '../../live/useStream.ts';
import { Time } from '../../shared/values.tsx';
import { TradesDocument, type TradesSubscription } from './market.generated.ts';
import { useText } from './text.ts';

type Trade = TradesSubscription['trades']['trades'][number];

const SHOWN = 40;

export function Trades({ symbol, digits }: { symbol: string; digits: number }) {
  const t = useText();
  const { language } = useLanguage();
  const [{ trades, dropped }, setState] = useState<{ trades: Trade[]; dropped: number }>({ trades: [], dropped: 0 });
  useStream(TradesDocument, { symbol }, ({ trades: batch }) => setState(known => ({
    trades: [...batch.trades.toReversed(), ...known.trades].slice(0, SHOWN), dropped: known.dropped + batch.dropped,
  })));
  if (trades.length === 0) return <p className="muted trades-none">{t('trades.none')}</p>;
  return (
    <div className="trades" tabIndex={0} role="group" aria-label={t('trades')}>
      <table>
        <thead><tr><th scope="col">{t('book.price')}</th><th scope="col">{t('book.quantity')}</th><th scope="col">{t('trades.time')}</th></tr></thead>
        <tbody>
          {trades.map(({ venueTradeId, at, price, quantity, side }) => (
            <tr key={venueTradeId}>
              <td className={side === 'BUY' ? 'up' : 'down'}><span aria-hidden="true">{side === 'BUY' ? '▲' : '▼'} </span><span className="visually-hidden">{t(`trades.${side}`)} </span>{formatDecimal(price, language, { digits })}</td>
              <td>{formatDecimal(quantity, language)}</td><td className="muted"><Time at={at} style="time" /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {dropped > 0 && <p className="muted">{t('trades.dropped', { count: dropped })}</p>}
    </div>
  );
}
