import { Link } from 'react-router';
import { EmptyState } from '../shared/states.tsx';
import { useText } from './text.ts';

export default function NotFound() {
  const t = useText();
  return <EmptyState title={t('notFound.title')} action={<Link className="button" to="/markets">{t('notFound.action')}</Link>}>{t('notFound.text')}</EmptyState>;
}
