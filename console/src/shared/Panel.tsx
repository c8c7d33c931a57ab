import { useId, type ReactNode } from 'react';

/** A titled part of a screen. */
export function Panel({ title, actions, children, className = '' }: { title: ReactNode; actions?: ReactNode; children: ReactNode; className?: string }) {
  const id = useId();
  return (
    <section className={`panel ${className}`} aria-labelledby={id}>
      <header><h2 id={id}>{title}</h2>{actions && <div className="row">{actions}</div>}</header>
      {children}
    </section>
  );
}

/** A screen: its heading, which is the document's title too, and what it shows. */
export function Page({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <div className="page">
      <title>{`${title} · r3edge`}</title>
      <header><h1>{title}</h1>{actions && <div className="row">{actions}</div>}</header>
      {children}
    </div>
  );
}
