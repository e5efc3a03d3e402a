/** One tile per participant: picture or initials, name, and what is missing. */

import { displayName, hue, initials } from '../room/person';
import type { LinkState } from '../sdk';
import type { Participant } from '../session/types';
import { byId, element } from './dom';

/** Looks at a tile, one second apart, without a new frame until the camera counts as off. */
const DARK_AFTER_LOOKS = 3;

const LINK_WORDS: Record<LinkState, string> = {
  connecting: 'Connecting…',
  connected: '',
  reconnecting: 'Reconnecting…',
  closed: 'Left',
};

/** One participant's tile. */
export class Tile {
  readonly root: HTMLElement;
  private readonly video = document.createElement('video');
  private readonly badge = element('span', 'badge');
  private readonly link = element('span', 'link');
  private framesSeen = 0;
  private looksWithoutFrame = 0;

  constructor(
    participant: Participant,
    stream: MediaStream,
    private readonly isSelf: boolean,
  ) {
    const name = displayName(participant);
    this.video.autoplay = true;
    this.video.playsInline = true;
    this.video.muted = isSelf;
    this.video.srcObject = stream;
    this.video.setAttribute('aria-label', `Picture of ${name}`);
    const avatar = element('span', 'avatar', initials(name));
    avatar.style.setProperty('--hue', String(hue(participant.participantId)));
    avatar.setAttribute('aria-hidden', 'true');
    const caption = element('figcaption', '', element('span', 'who', isSelf ? `${name} (you)` : name));
    caption.append(this.badge);
    this.root = element('figure', 'tile', avatar, this.video, this.link, caption);
    this.root.dataset['testid'] = isSelf ? 'tile-self' : 'tile';
    this.root.dataset['participantId'] = participant.participantId;
    this.root.dataset['name'] = name;
    this.update(participant);
    this.setLink('connecting');
  }

  update(participant: Participant): void {
    const hasPicture = participant.hasVideo && !this.isDark();
    this.root.dataset['video'] = String(hasPicture);
    this.root.classList.toggle('featured', participant.attributes['featured'] === 'true');
    const missing = [
      participant.hasAudio ? '' : 'no sound',
      hasPicture ? '' : 'no picture',
    ];
    this.badge.textContent = missing.filter((word) => word !== '').join(', ');
  }

  /** Whether frames have stopped coming: the camera is off, although its track stays published. */
  private isDark(): boolean {
    // Pages in the background draw nothing, whatever comes.
    if (document.visibilityState === 'hidden' || this.isSelf) return false;
    const frames = this.video.getVideoPlaybackQuality().totalVideoFrames;
    this.looksWithoutFrame = frames === this.framesSeen ? this.looksWithoutFrame + 1 : 0;
    this.framesSeen = frames;
    return frames > 0 && this.looksWithoutFrame >= DARK_AFTER_LOOKS;
  }

  setLink(state: LinkState): void {
    this.root.dataset['state'] = state;
    this.link.textContent = LINK_WORDS[state];
    // Autoplay may have been refused before there was anything to play.
    if (state === 'connected') this.video.play().catch(() => undefined);
  }

  remove(): void {
    this.video.srcObject = null;
    this.root.remove();
  }
}

/** All tiles of the stage, this participant's first. */
export class Tiles {
  private readonly area = byId('tiles', HTMLElement);
  private readonly people = byId('people', HTMLElement);
  private readonly tiles = new Map<string, Tile>();

  add(participant: Participant, stream: MediaStream, isSelf = false): void {
    this.remove(participant.participantId);
    const tile = new Tile(participant, stream, isSelf);
    this.tiles.set(participant.participantId, tile);
    if (isSelf) this.area.prepend(tile.root);
    else this.area.append(tile.root);
    this.count();
  }

  update(participant: Participant): void {
    this.tiles.get(participant.participantId)?.update(participant);
  }

  setLink(participantId: string, state: LinkState): void {
    this.tiles.get(participantId)?.setLink(state);
  }

  remove(participantId: string): void {
    this.tiles.get(participantId)?.remove();
    this.tiles.delete(participantId);
    this.count();
  }

  clear(): void {
    for (const id of [...this.tiles.keys()]) this.remove(id);
  }

  private count(): void {
    const { size } = this.tiles;
    this.area.dataset['count'] = String(size);
    this.people.textContent = size === 0 ? '' : size === 1 ? '1 person' : `${size} people`;
  }
}
