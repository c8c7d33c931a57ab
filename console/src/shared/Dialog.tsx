import { Dialog as Radix } from 'radix-ui';
import type { ReactNode } from 'react';

interface Props { title: string; description?: string; isOpen: boolean; onClose: () => void; children: ReactNode }

/** A modal dialog. The overlay is ours: Radix's locks scrolling by a style element, which the page's policy forbids. */
export function Dialog({ title, description, isOpen, onClose, children }: Props) {
  return (
    <Radix.Root open={isOpen} onOpenChange={open => { if (!open) onClose(); }}>
      <Radix.Portal>
        <div className="dialog-back" />
        <Radix.Content className="dialog" {...(description ? {} : { 'aria-describedby': undefined })}>
          <Radix.Title asChild><h2>{title}</h2></Radix.Title>
          {description && <Radix.Description className="muted">{description}</Radix.Description>}
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
