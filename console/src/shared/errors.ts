/** Errors in words, by their code where we have words of our own, else in those of the engine. */
import type { CombinedError } from '@urql/core';
import type { PayloadError } from '../transport/useSafeMutation.ts';
import { useText } from './text.ts';
import en from './messages.en.json';

const WORDS = new Set(Object.keys(en).filter(key => key.startsWith('error.')));
type ErrorKey = `error.${'network' | 'unknown'}` & keyof typeof en;

export function useErrorText(): { ofQuery: (error: CombinedError) => string; ofPayload: (error: PayloadError) => string } {
  const t = useText();
  const byCode = (code: string, message: string): string =>
    WORDS.has(`error.${code}`) ? t(`error.${code}` as ErrorKey) : message;
  return {
    ofQuery: error => {
      const failed = error.graphQLErrors[0];
      return failed ? byCode(String(failed.extensions['code'] ?? ''), failed.message) : t('error.network');
    },
    ofPayload: ({ code, message }) => byCode(code, message),
  };
}
