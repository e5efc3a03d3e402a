/** How a participant is shown where there is no picture. Pure. */

import type { Participant } from '../session/types';

/** The name that the page gave to the participant, else the user id, else a part of the participant id. */
export function displayName(
  participant: Pick<Participant, 'participantId' | 'userId' | 'attributes'>,
): string {
  return (
    participant.attributes['displayName'] || participant.userId || participant.participantId.slice(0, 8)
  );
}

/** One or two letters. */
export function initials(name: string): string {
  const words = name.split(/[\s_.-]+/).filter((word) => word !== '');
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word) => [...(word ?? '')][0]?.toUpperCase() ?? '').join('') || '?';
}

/** A number that is the same for the same text: FNV-1a, 32 bits. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return value >>> 0;
}

/** A hue from 0 to 359. */
export function hue(text: string): number {
  return hash(text) % 360;
}
