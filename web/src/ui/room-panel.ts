/** Joining, the tiles, and one's own microphone and camera. */

import { Room, type RoomView } from '../room/room';
import type { Source } from '../room/local-media';
import type { VideoCodec } from '../sdk';
import type { SessionApi } from '../session/api';
import type { Stage } from '../session/types';
import { byId, onClick, onSubmit } from './dom';
import type { Notices } from './notices';
import { Tiles } from './tiles';

const REMEMBERED = 'proscenium.name';

/** See the module's text. */
export class RoomPanel {
  private readonly form = byId('join-form', HTMLFormElement);
  private readonly name = byId('name', HTMLInputElement);
  private readonly area = byId('tiles', HTMLElement);
  private readonly controls = byId('controls', HTMLElement);
  private readonly mute = byId('mute', HTMLButtonElement);
  private readonly camera = byId('camera', HTMLButtonElement);
  private readonly leaveButton = byId('leave', HTMLButtonElement);
  private readonly tiles = new Tiles();
  private stage: Stage | null = null;
  private room: Room | null = null;

  constructor(
    private readonly api: SessionApi,
    private readonly notices: Notices,
    private readonly onJoined: (joined: boolean) => void,
  ) {
    this.name.value = localStorage.getItem(REMEMBERED) ?? guestName();
    onSubmit(this.form, () => this.join());
    onClick(this.leaveButton, () => this.leave());
    onClick(this.mute, () => this.toggle(this.mute, 'Mute', 'Unmute', (on) => this.room?.setMuted(on)));
    onClick(this.camera, () =>
      this.toggle(this.camera, 'Camera off', 'Camera on', (on) => this.room?.setCameraOff(on)),
    );
    addEventListener('pagehide', () => void this.room?.leave());
  }

  /** Another stage was chosen; only while not joined. */
  show(stage: Stage | null): void {
    this.stage = stage;
    this.form.hidden = stage === null || this.room !== null;
  }

  private async join(): Promise<void> {
    const { stage } = this;
    if (stage === null || this.room !== null) return;
    this.notices.clear('join');
    const name = this.name.value.trim() || guestName();
    localStorage.setItem(REMEMBERED, name);
    const featured = byId('featured', HTMLInputElement).checked;
    try {
      const room = await Room.join(
        this.api,
        {
          stageId: stage.stageId,
          name,
          featured,
          overlay: byId('overlay', HTMLInputElement).checked,
          source: chosen<Source>('source'),
          size: chosenSize('size'),
          codec: chosen<VideoCodec>('codec'),
          simulcast: byId('simulcast', HTMLInputElement).checked,
        },
        this.view(),
      );
      this.joined(room, name, featured);
    } catch (error) {
      this.notices.error('join', error);
    }
  }

  private joined(room: Room, name: string, featured: boolean): void {
    this.room = room;
    this.form.hidden = true;
    this.area.hidden = false;
    this.controls.hidden = false;
    this.mute.hidden = room.media.audio === null;
    this.camera.hidden = room.media.video === null;
    setPressed(this.mute, false, 'Mute');
    setPressed(this.camera, false, 'Camera off');
    if (room.publishes) {
      this.tiles.add(
        {
          participantId: room.participantId,
          attributes: { displayName: name, featured: String(featured) },
          hasAudio: room.media.audio !== null,
          hasVideo: room.media.video !== null,
        },
        room.media.stream,
        true,
      );
      this.tiles.setLink(room.participantId, room.state);
    }
    if (room.media.fallback !== null) {
      this.notices.info('source', `${room.media.fallback}: a test pattern is sent instead`);
    }
    this.onJoined(true);
    this.leaveButton.focus();
  }

  private async leave(): Promise<void> {
    const { room } = this;
    this.room = null;
    await room?.leave();
    this.tiles.clear();
    this.area.hidden = true;
    this.controls.hidden = true;
    for (const topic of ['source', 'link', 'roster', 'camera']) this.notices.clear(topic);
    this.onJoined(false);
    this.show(this.stage);
  }

  private async toggle(
    button: HTMLButtonElement,
    off: string,
    on: string,
    change: (on: boolean) => Promise<void> | undefined,
  ): Promise<void> {
    const pressed = button.getAttribute('aria-pressed') !== 'true';
    try {
      await change(pressed);
      this.notices.clear('camera');
      setPressed(button, pressed, pressed ? on : off);
      if (button === this.camera) this.area.classList.toggle('self-dark', pressed);
      if (button === this.mute) this.area.classList.toggle('self-muted', pressed);
    } catch (error) {
      this.notices.error('camera', error);
    }
  }

  private view(): RoomView {
    return {
      localChanged: (state, problem) => {
        if (this.room !== null) this.tiles.setLink(this.room.participantId, state);
        if (state === 'connected') this.notices.clear('link');
        if (problem === undefined) return;
        this.notices.error('link', problem);
        if (state === 'closed' && this.room !== null) void this.leaveKeeping('link', problem);
      },
      participantArrived: (participant, stream) => this.tiles.add(participant, stream),
      participantChanged: (participant) => this.tiles.update(participant),
      participantState: (id, state) => this.tiles.setLink(id, state),
      participantLeft: (id) => this.tiles.remove(id),
      rosterFailed: (error) => this.notices.error('roster', error),
      rosterAnswered: () => this.notices.clear('roster'),
    };
  }

  /** Leaves because the server ended it, and says why. */
  private async leaveKeeping(topic: string, problem: Error): Promise<void> {
    await this.leave();
    this.notices.error(topic, problem);
  }
}

function setPressed(button: HTMLButtonElement, pressed: boolean, label: string): void {
  button.setAttribute('aria-pressed', String(pressed));
  button.textContent = label;
}

function chosen<T extends string>(id: string): T {
  return byId(id, HTMLSelectElement).value as T;
}

/** `1280x720` as numbers. */
export function chosenSize(id: string): { width: number; height: number } {
  const [width = 1280, height = 720] = byId(id, HTMLSelectElement).value.split('x').map(Number);
  return { width, height };
}

function guestName(): string {
  return `Guest ${100 + Math.floor(Math.random() * 900)}`;
}
