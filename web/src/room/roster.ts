/** Who came and who left between two answers of the server. Pure. */

import type { Participant } from '../session/types';

export interface RosterChange {
  arrived: Participant[];
  /** Participant ids. */
  left: string[];
}

/** Compares those already subscribed to with those who publish now, without the participant of this page. */
export function rosterChange(
  known: Iterable<string>,
  publishing: Participant[],
  self: string,
): RosterChange {
  const present = new Set(publishing.map((each) => each.participantId));
  const before = new Set(known);
  return {
    arrived: publishing.filter(
      ({ participantId }) => participantId !== self && !before.has(participantId),
    ),
    left: [...before].filter((id) => !present.has(id)),
  };
}
