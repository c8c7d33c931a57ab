import type en from './messages.en.json';
import { textOf } from '../i18n/text.tsx';

export const useText = textOf<keyof typeof en>('protection');
