import { Dialog as Radix } from 'radix-ui';
import { useRef, type ReactNode } from 'react';

interface Props { title: string; description?: string; isOpen: boolean; onClose: () => void; children: ReactNode }

/** A modal dialog. The overlay is ours: Radix's locks scrolling by a style element, which the page's policy forbids. */
export function Dialog({ title, description, isOpen, onClose, children }: Props) {
  // Radix gives the focus back to its own trigger alone, which these dialogs don't have.
  const opener = useRef<HTMLElement | null>(null);
  return (
    <Radix.Root open={isOpen} onOpenChange={open => { if (!open) onClose(); }}>
      <Radix.Portal>
        <div className="dialog-back" />
        <Radix.Content className="dialog" onOpenAutoFocus={() => { opener.current = document.activeElement as HTMLElement | null; }}
          onCloseAutoFocus={event => { event.preventDefault(); opener.current?.focus(); }} {...(description ? {} : { 'aria-describedby': undefined })}>
          <Radix.Title asChild><h2>{title}</h2></Radix.Title>
          {description && <Radix.Description className="muted">{description}</Radix.Description>}
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
