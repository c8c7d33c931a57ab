import type en from './messages.en.json';
import { textOf } from '../i18n/text.tsx';

export type ShellKey = keyof typeof en;
export const useText = textOf<ShellKey>('shell');
