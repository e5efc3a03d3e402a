/** What there is to say of a composition. Pure. */

import type { Composition, CompositionState, Destination } from './types';

/** Whether a composition still does something. */
export function isRunning(state: CompositionState): boolean {
  return state === 'STARTING' || state === 'ACTIVE' || state === 'STOPPING';
}

/** The one to show: the newest that runs, else the newest. The list is newest first. */
export function currentComposition(compositions: Composition[]): Composition | null {
  return compositions.find((each) => isRunning(each.state)) ?? compositions[0] ?? null;
}

const STATE_WORDS: Record<Destination['state'], string> = {
  STARTING: 'Starting',
  ACTIVE: 'Active',
  RECONNECTING: 'Reconnecting',
  STOPPING: 'Stopping',
  STOPPED: 'Stopped',
  FAILED: 'Failed',
};

/** The state as a word for people. */
export function stateWord(state: Destination['state']): string {
  return STATE_WORDS[state] ?? state;
}

/** `m:ss` or `h:mm:ss` from the start to the end, or to now while it runs; empty before the start. */
export function duration(composition: Composition, nowMs: number): string {
  if (composition.startTime === undefined) return '';
  const end = composition.endTime === undefined ? nowMs : Date.parse(composition.endTime);
  const seconds = Math.max(0, Math.floor((end - Date.parse(composition.startTime)) / 1000));
  if (Number.isNaN(seconds)) return '';
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = `${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** The first destination of a kind. */
export function destinationOf<K extends Destination['kind']>(
  composition: Composition,
  kind: K,
): Extract<Destination, { kind: K }> | null {
  const found = composition.destinations.find((each) => each.kind === kind);
  return (found as Extract<Destination, { kind: K }> | undefined) ?? null;
}
