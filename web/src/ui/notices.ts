/** Messages across the top: what failed, and what the user should know. */

import { byId, element } from './dom';

const SHOWN_MAX = 3;

interface Notice {
  kind: 'error' | 'info';
  message: string;
}

/** The notices area. One topic has one notice at a time; what several topics say is shown once. */
export class Notices {
  private readonly area = byId('notices', HTMLElement);
  private readonly byTopic = new Map<string, Notice>();

  error(topic: string, error: unknown): void {
    const message = sentence(error instanceof Error ? error.message : String(error));
    this.set(topic, { kind: 'error', message });
  }

  info(topic: string, message: string): void {
    this.set(topic, { kind: 'info', message: sentence(message) });
  }

  clear(topic: string): void {
    if (this.byTopic.delete(topic)) this.render();
  }

  private set(topic: string, notice: Notice): void {
    if (this.byTopic.get(topic)?.message === notice.message) return;
    // Set anew, so that the newest is the last.
    this.byTopic.delete(topic);
    this.byTopic.set(topic, notice);
    this.render();
  }

  /** Leaves what is shown already in place: it would be read aloud again. */
  private render(): void {
    const wanted = new Map([...this.byTopic.values()].map((notice) => [notice.message, notice]));
    for (const message of [...wanted.keys()].slice(0, -SHOWN_MAX)) wanted.delete(message);
    for (const child of [...this.area.children]) {
      const message = child.querySelector('p')?.textContent ?? '';
      if (!wanted.delete(message)) child.remove();
    }
    for (const notice of wanted.values()) this.area.append(this.draw(notice));
  }

  private draw({ kind, message }: Notice): HTMLElement {
    const close = element('button', 'close', '×');
    close.type = 'button';
    close.setAttribute('aria-label', 'Dismiss');
    const notice = element('div', `notice ${kind}`, element('p', '', message), close);
    notice.dataset['testid'] = `notice-${kind}`;
    close.addEventListener('click', () => this.dismiss(message));
    return notice;
  }

  private dismiss(message: string): void {
    for (const [topic, notice] of this.byTopic) {
      if (notice.message === message) this.byTopic.delete(topic);
    }
    this.render();
  }
}

/** Capital letter and full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  const capital = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
