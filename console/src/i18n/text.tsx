/** Texts in the user's language: ICU messages from `messages.<language>.json` of the shell and of each screen. */
import { IntlMessageFormat } from 'intl-messageformat';
import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from 'react';

/** To add a language: its message files, a file of it in `languages/`, and a line here. */
export const LANGUAGES = { en: 'English', fr: 'Français' } as const;
export type Language = keyof typeof LANGUAGES;
type Catalogues = Record<string, Record<string, string>>;
type Values = Record<string, string | number | boolean | null | undefined>;

const LOADERS: Record<Language, () => Promise<{ default: Catalogues }>> = {
  en: () => import('./languages/en.ts'),
  fr: () => import('./languages/fr.ts'),
};
const KEY = 'r3edge:console:language';

function preferred(): Language {
  const wished = [localStorage.getItem(KEY) ?? '', ...navigator.languages].map(tag => tag.slice(0, 2));
  return (wished.find(tag => tag in LANGUAGES) ?? 'en') as Language;
}

interface Loaded { language: Language; catalogues: Catalogues; setLanguage: (language: Language) => void }
const LanguageContext = createContext<Loaded>({ language: 'en', catalogues: {}, setLanguage: () => undefined });

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(preferred);
  const [loaded, setLoaded] = useState<{ language: Language; catalogues: Catalogues }>();
  useEffect(() => {
    let isCurrent = true;
    void LOADERS[language]().then(module => { if (isCurrent) setLoaded({ language, catalogues: module.default }); });
    return () => { isCurrent = false; };
  }, [language]);
  useEffect(() => { if (loaded) document.documentElement.lang = loaded.language; }, [loaded]);
  const choose = useCallback((next: Language) => { localStorage.setItem(KEY, next); setLanguage(next); }, []);
  const value = useMemo(() => loaded && { ...loaded, setLanguage: choose }, [loaded, choose]);
  return value ? <LanguageContext value={value}>{children}</LanguageContext> : null;
}

export const useLanguage = (): Loaded => use(LanguageContext);

const formats = new Map<string, IntlMessageFormat>();

export function formatMessage(message: string, language: string, values?: Values): string {
  if (!values && !/[{'<]/.test(message)) return message;
  const key = `${language}\n${message}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new IntlMessageFormat(message, language, undefined, { ignoreTag: true })));
  return String(format.format(values));
}

export type Text<Key extends string> = (key: Key, values?: Values) => string;

/** Returns the hook for the messages of one folder, such as `screens/markets`: `export const useText = textOf<keyof typeof en>('screens/markets')`. */
export function textOf<Key extends string>(folder: string): () => Text<Key> {
  const suffix = `/${folder}/messages.`;
  return function useText() {
    const { language, catalogues } = useLanguage();
    return useMemo(() => {
      const name = Object.keys(catalogues).find(path => path.includes(suffix));
      const messages = name === undefined ? {} : catalogues[name];
      return (key, values) => formatMessage(messages?.[key] ?? key, language, values);
    }, [language, catalogues]);
  };
}
