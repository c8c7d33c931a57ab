/** Times in the user's zone. */
const formats = new Map<string, Intl.DateTimeFormat>();

export function formatTime(at: string | number | Date, language: string, style: 'time' | 'date' | 'both', timeZone?: string): string {
  const key = `${language} ${style} ${timeZone}`;
  let format = formats.get(key);
  if (!format) {
    const time = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
    const date = { year: 'numeric', month: 'short', day: '2-digit' } as const;
    format = new Intl.DateTimeFormat(language, { ...(style !== 'date' && time), ...(style !== 'time' && date), timeZone });
    formats.set(key, format);
  }
  return format.format(new Date(at));
}

export const utc = (at: string | number | Date): string => `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
