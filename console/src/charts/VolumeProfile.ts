/** Draws volume by price over the candles: bars from the right edge, bought before sold, with the value area's bounds. */
import type { ISeriesPrimitive, IPrimitivePaneRenderer, IPrimitivePaneView, SeriesAttachedParameter, Time } from 'lightweight-charts';
import { toPixels } from '../format/decimal.ts';
import type { ChartProfile } from './Candles.tsx';
import { colour } from './colours.ts';

type Target = Parameters<IPrimitivePaneRenderer['draw']>[0];

/** How much of the pane's width the longest bar takes. */
const SHARE = 0.28;

export class VolumeProfile implements ISeriesPrimitive<Time> {
  private series: SeriesAttachedParameter<Time>['series'] | null = null;
  private readonly profile: ChartProfile;
  private readonly colours = { bought: colour('up'), sold: colour('down'), bound: colour('muted') };
  private readonly views: readonly IPrimitivePaneView[] = [{ zOrder: () => 'bottom', renderer: () => ({ draw: target => this.draw(target) }) }];

  constructor(profile: ChartProfile) { this.profile = profile; }

  attached({ series, requestUpdate }: SeriesAttachedParameter<Time>): void { this.series = series; requestUpdate(); }
  detached(): void { this.series = null; }
  paneViews(): readonly IPrimitivePaneView[] { return this.views; }

  private draw(target: Target): void {
    const { levels, valueArea } = this.profile;
    const most = Math.max(...levels.map(({ volume }) => toPixels(volume)));
    const y = (price: string) => this.series?.priceToCoordinate(toPixels(price)) ?? null;
    target.useMediaCoordinateSpace(({ context, mediaSize: { width } }) => {
      context.globalAlpha = 0.35;
      for (const { priceLow, priceHigh, volume, buyVolume } of levels) {
        const [bottom, top] = [y(priceLow), y(priceHigh)];
        if (bottom === null || top === null || most === 0) continue;
        const [whole, bought] = [volume, buyVolume].map(each => (toPixels(each) / most) * width * SHARE) as [number, number];
        const height = Math.max(bottom - top - 1, 1);
        context.fillStyle = this.colours.bought;
        context.fillRect(width - bought, top, bought, height);
        context.fillStyle = this.colours.sold;
        context.fillRect(width - whole, top, whole - bought, height);
      }
      context.globalAlpha = 0.8;
      context.strokeStyle = this.colours.bound;
      context.setLineDash([2, 4]);
      for (const bound of valueArea ?? []) {
        const at = y(bound);
        if (at === null) continue;
        context.beginPath();
        context.moveTo(width * (1 - SHARE), at);
        context.lineTo(width, at);
        context.stroke();
      }
    });
  }
}
