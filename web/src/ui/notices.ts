/** Messages across the top: what failed, and what the user should know. */

import { byId, element } from './dom';

const SHOWN_MAX = 3;

type Kind = 'error' | 'info';

/** The notices area. One topic has one notice at a time. */
export class Notices {
  private readonly area = byId('notices', HTMLElement);
  private readonly shown = new Map<string, HTMLElement>();

  error(topic: string, error: unknown): void {
    this.show(topic, 'error', sentence(error instanceof Error ? error.message : String(error)));
  }

  info(topic: string, message: string): void {
    this.show(topic, 'info', sentence(message));
  }

  clear(topic: string): void {
    this.shown.get(topic)?.remove();
    this.shown.delete(topic);
  }

  private show(topic: string, kind: Kind, message: string): void {
    const present = this.shown.get(topic);
    if (present?.dataset['message'] === message) return;
    this.clear(topic);
    const close = element('button', 'close', '×');
    close.type = 'button';
    close.setAttribute('aria-label', 'Dismiss');
    close.addEventListener('click', () => this.clear(topic));
    const notice = element('div', `notice ${kind}`, element('p', '', message), close);
    notice.dataset['message'] = message;
    notice.dataset['testid'] = `notice-${topic}`;
    this.area.append(notice);
    this.shown.set(topic, notice);
    const oldest = this.shown.keys().next().value;
    if (this.shown.size > SHOWN_MAX && oldest !== undefined) this.clear(oldest);
  }
}

/** Capital letter and full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  const capital = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
