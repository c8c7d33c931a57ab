import { Page } from '../../shared/Panel.tsx';
import { EmptyState } from '../../shared/states.tsx';
import { useText } from './text.ts';

export default function Orders() {
  const t = useText();
  return <Page title={t('title')}><EmptyState title={t('none.title')}>{t('none.text')}</EmptyState></Page>;
}
