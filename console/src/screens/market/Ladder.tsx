/** The book as a ladder: asks above, bids below, with a bar for the sum up to each level. */
import { memo, useMemo } from 'react';
import { big, divide, formatDecimal, multiply, subtract, toPixels } from '../../format/decimal.ts';
import { useLanguage } from '../../i18n/text.tsx';
import { Loading } from '../../shared/states.tsx';
import type { BookState, Level } from './book.ts';
import type { MarketInfo } from './Market.tsx';
import { useText } from './text.ts';

const SHOWN = 12;

interface Summed extends Level { sum: string }

function withSums(levels: readonly Level[]): Summed[] {
  let sum = big(0);
  return levels.slice(0, SHOWN).map(level => { sum = sum.plus(level.quantity); return { ...level, sum: sum.toString() }; });
}

export function Ladder({ state: { book, feed }, market, digits }: { state: BookState; market: MarketInfo; digits: number }) {
  const t = useText();
  const { language } = useLanguage();
  const { asks, bids, most } = useMemo(() => {
    const [a, b] = [withSums(book?.asks ?? []), withSums(book?.bids ?? [])];
    return { asks: a.reverse(), bids: b, most: Math.max(toPixels(a[0]?.sum ?? '0'), toPixels(b.at(-1)?.sum ?? '0')) };
  }, [book]);
  if (!book) return <Loading />;
  const [ask, bid] = [book.asks[0]?.price, book.bids[0]?.price];
  const spread = ask && bid ? subtract(ask, bid) : null;
  return (
    <div className={`ladder ${feed === 'LIVE' ? '' : 'old'}`}>
      <table>
        <caption className="visually-hidden">{t('book')}</caption>
        <thead><tr><th scope="col">{t('book.price')}</th><th scope="col">{t('book.quantity')}</th><th scope="col">{t('book.sum')}</th></tr></thead>
        <tbody aria-label={t('book.asks')}>{asks.map(level => <Row key={level.price} side="ask" level={level} most={most} digits={digits} language={language} />)}</tbody>
        <tbody><tr className="spread"><td colSpan={3}>{t('spread')} {spread && formatDecimal(spread, language, { digits })}{' '}{market.quote}{spread && ask && ` · ${formatDecimal(multiply(divide(spread, ask), '100'), language, { atMost: 6 })} %`}</td></tr></tbody>
        <tbody aria-label={t('book.bids')}>{bids.map(level => <Row key={level.price} side="bid" level={level} most={most} digits={digits} language={language} />)}</tbody>
      </table>
    </div>
  );
}

interface RowProps { side: 'ask' | 'bid'; level: Summed; most: number; digits: number; language: string }

const Row = memo(function Row({ side, level, most, digits, language }: RowProps) {
  const share = most === 0 ? 0 : Math.round((toPixels(level.sum) / most) * 100);
  return (
    <tr className={side} style={{ backgroundSize: `${share}% 100%` }}>
      <td>{formatDecimal(level.price, language, { digits })}</td><td>{formatDecimal(level.quantity, language)}</td><td>{formatDecimal(level.sum, language)}</td>
    </tr>
  );
}, (before, after) => before.level.price === after.level.price && before.level.quantity === after.level.quantity && before.level.sum === after.level.sum
  && before.most === after.most && before.language === after.language);
