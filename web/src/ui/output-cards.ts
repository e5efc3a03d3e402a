/** The two players: the channel live, and the recording. */

import type { Destination } from '../session/types';
import { byId } from './dom';
import { HlsPlayer } from './hls-player';

type Channel = Extract<Destination, { kind: 'channel' }>;
type Recording = Extract<Destination, { kind: 'recording' }>;

/** Plays the channel from the moment that it is on air. */
export class LiveCard {
  private readonly card = byId('live', HTMLElement);
  private readonly status = byId('live-status', HTMLElement);
  private readonly link = byId('live-link', HTMLAnchorElement);
  private readonly video = byId('live-video', HTMLVideoElement);
  private readonly player = new HlsPlayer(this.video, 'live', (text) => {
    this.status.textContent = text;
  });
  private over = true;

  show(channel: Channel | null, running: boolean): void {
    this.card.hidden = channel === null || (this.card.hidden && !running);
    if (channel === null) return;
    const { playbackUrl } = channel.channel;
    this.link.href = playbackUrl;
    const onAir = channel.state === 'ACTIVE' || channel.state === 'RECONNECTING';
    if (onAir) {
      this.over = false;
      this.video.hidden = false;
      this.player.play(playbackUrl);
    } else if (channel.state === 'STOPPED' || channel.state === 'FAILED') {
      if (!this.over) this.player.stop('Off air');
      this.over = true;
      this.video.hidden = true;
    }
  }

  reset(): void {
    this.player.stop();
    this.over = true;
    this.card.hidden = true;
  }
}

/** Plays the recording, on demand while it grows, by itself once it is whole. */
export class RecordingCard {
  private readonly card = byId('recording', HTMLElement);
  private readonly status = byId('recording-status', HTMLElement);
  private readonly video = byId('recording-video', HTMLVideoElement);
  private readonly button = byId('recording-play', HTMLButtonElement);
  private readonly uri = byId('recording-uri', HTMLElement);
  private readonly link = byId('recording-link', HTMLAnchorElement);
  private readonly player = new HlsPlayer(this.video, 'recording', (text) => {
    this.status.textContent = text;
  });
  private url: string | null = null;

  constructor() {
    this.button.addEventListener('click', () => this.open());
  }

  show(recording: Recording | null, running: boolean): void {
    const begun = recording !== null && recording.state !== 'STARTING';
    this.card.hidden = !begun;
    if (!begun) return;
    const { uri, playbackUrl } = recording.recording;
    this.uri.textContent = uri;
    this.uri.title = uri;
    this.link.hidden = playbackUrl === undefined;
    this.button.hidden = playbackUrl === undefined;
    this.button.textContent = running ? 'Watch from the beginning' : 'Watch the recording';
    if (playbackUrl === undefined) return;
    this.link.href = playbackUrl;
    if (this.url === playbackUrl) return;
    this.close();
    this.url = playbackUrl;
  }

  reset(): void {
    this.close();
    this.card.hidden = true;
  }

  private open(): void {
    if (this.url === null) return;
    this.video.hidden = false;
    this.player.replay(this.url);
  }

  private close(): void {
    this.player.stop();
    this.video.hidden = true;
    this.url = null;
  }
}
