import { describe, expect, it } from 'vitest';

import { captureProblem } from '../src/room/local-media';
import { timecode } from '../src/room/pattern';
import { displayName, hue, initials } from '../src/room/person';
import { rosterChange } from '../src/room/roster';
import { apiError } from '../src/session/api';
import { layoutFor } from '../src/session/layout';
import { currentComposition, destinationOf, duration, isRunning } from '../src/session/progress';
import type { Composition, CompositionState, Participant } from '../src/session/types';
import { sentence } from '../src/ui/notices';

function participant(participantId: string): Participant {
  return { participantId, attributes: {}, hasAudio: true, hasVideo: true };
}

function composition(compositionId: string, state: CompositionState): Composition {
  return { compositionId, arn: '', stageId: 's', state, destinations: [] };
}

describe('roster', () => {
  it('tells who arrived and who left, and never the page itself', () => {
    const change = rosterChange(['a', 'b'], ['b', 'me', 'c'].map(participant), 'me');
    expect(change.arrived.map((each) => each.participantId)).toEqual(['c']);
    expect(change.left).toEqual(['a']);
  });
});

describe('person', () => {
  it('prefers the display name, then the user id, then the participant id', () => {
    const base = participant('0123456789');
    expect(displayName({ ...base, userId: 'ada', attributes: { displayName: 'Ada' } })).toBe('Ada');
    expect(displayName({ ...base, userId: 'ada' })).toBe('ada');
    expect(displayName(base)).toBe('01234567');
  });

  it.each([
    ['Ada Lovelace', 'AL'],
    ['ada', 'A'],
    ['a_b-c', 'AC'],
    ['  ', '?'],
    ['😀 x', '😀X'],
  ])('shortens %j to %s', (name, letters) => {
    expect(initials(name)).toBe(letters);
  });

  it('gives the same name the same hue', () => {
    expect(hue('Ada')).toBe(hue('Ada'));
    expect(hue('Ada')).not.toBe(hue('Blaise'));
  });
});

describe('pattern', () => {
  it('counts tenths of seconds', () => {
    expect([0, 9.96, 61.25].map(timecode)).toEqual(['0:00.0', '0:09.9', '1:01.2']);
  });
});

describe('composition', () => {
  it('shows the one that runs rather than a newer one that failed', () => {
    const list = [composition('new', 'FAILED'), composition('old', 'ACTIVE')];
    expect(currentComposition(list)?.compositionId).toBe('old');
    expect(currentComposition([composition('only', 'STOPPED')])?.compositionId).toBe('only');
    expect(currentComposition([])).toBeNull();
  });

  it('runs until it has stopped', () => {
    const states: CompositionState[] = ['STARTING', 'ACTIVE', 'STOPPING', 'STOPPED', 'FAILED'];
    expect(states.map(isRunning)).toEqual([true, true, true, false, false]);
  });

  it('counts its time from the start, and stands still after the end', () => {
    const running = { ...composition('c', 'ACTIVE'), startTime: '2026-01-01T00:00:00Z' };
    const now = Date.parse('2026-01-01T01:02:03.9Z');
    expect(duration(running, now)).toBe('1:02:03');
    expect(duration({ ...running, endTime: '2026-01-01T00:01:05Z' }, now)).toBe('1:05');
    expect(duration(composition('c', 'STARTING'), now)).toBe('');
  });

  it('finds a destination by its kind', () => {
    const channel = { id: 'd', state: 'ACTIVE', kind: 'channel', channel: { arn: 'a', playbackUrl: 'u' } } as const;
    const found = { ...composition('c', 'ACTIVE'), destinations: [channel] };
    expect(destinationOf(found, 'channel')).toBe(channel);
    expect(destinationOf(found, 'recording')).toBeNull();
  });
});

describe('layout', () => {
  it('sends exactly one of grid and pip', () => {
    expect(layoutFor('grid')).toEqual({ grid: { gridGap: 8 } });
    expect(layoutFor('featured')).toEqual({
      grid: { gridGap: 8, featuredParticipantAttribute: 'featured' },
    });
    expect(Object.keys(layoutFor('pip'))).toEqual(['pip']);
  });
});

describe('messages', () => {
  it("take the session API's code and message", () => {
    const error = apiError(409, { error: { code: 'ConflictException', message: 'the channel is live' } });
    expect([error.code, error.message]).toEqual(['ConflictException', 'the channel is live']);
  });

  it('say the status when the body says nothing', () => {
    expect(apiError(500, undefined).message).toBe('the server answered 500');
    expect(apiError(500, { error: { code: 7 } }).code).toBe('Http500');
  });

  it('are sentences', () => {
    expect(sentence('the channel is live')).toBe('The channel is live.');
    expect(sentence('Really?')).toBe('Really?');
  });

  it('name what keeps the camera away', () => {
    expect(captureProblem(new DOMException('', 'NotFoundError'))).toContain('No camera');
    expect(captureProblem(new DOMException('', 'NotAllowedError'))).toContain('not allow');
    expect(captureProblem('?')).toContain('cannot be opened');
  });
});
