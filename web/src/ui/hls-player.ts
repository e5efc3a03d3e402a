/** Plays one HLS playlist in one video element, and waits for playlists that are not there yet. */

import type HlsPlayerLibrary from 'hls.js';

type Hls = InstanceType<typeof HlsPlayerLibrary>;

/** How the playlist is played. */
export type Mode = 'live' | 'recording';

const RETRY_MS = 1_000;
const NATIVE_TYPE = 'application/vnd.apple.mpegurl';

/** See the module's text. */
export class HlsPlayer {
  private url: string | null = null;
  private hls: Hls | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private mediaErrors = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly mode: Mode,
    private readonly onStatus: (text: string) => void,
  ) {
    video.addEventListener('playing', () => onStatus(''));
    video.addEventListener('waiting', () => onStatus('Buffering…'));
    video.addEventListener('ended', () => onStatus('Ended'));
  }

  /** What is being played. */
  get playing(): string | null {
    return this.url;
  }

  /** Plays `url` until [stop]; the same one again changes nothing. */
  play(url: string): void {
    if (this.url === url) return;
    this.stop();
    this.url = url;
    this.onStatus('Waiting for the first segment…');
    void this.load(url);
  }

  /** Plays `url` from the beginning even if it is being played. */
  replay(url: string): void {
    this.stop();
    this.play(url);
  }

  /** Lets go of the playlist; the last picture stays until something else plays. */
  stop(status = ''): void {
    clearTimeout(this.timer);
    this.url = null;
    this.mediaErrors = 0;
    this.hls?.destroy();
    this.hls = null;
    this.onStatus(status);
  }

  private async load(url: string): Promise<void> {
    const { default: Library } = await import('hls.js');
    if (this.url !== url) return;
    if (!Library.isSupported()) {
      this.playNatively(url);
      return;
    }
    const live = this.mode === 'live';
    const hls = new Library({
      startPosition: live ? -1 : 0,
      liveSyncDurationCount: 2,
      liveMaxLatencyDurationCount: live ? 6 : Infinity,
      maxLiveSyncPlaybackRate: live ? 1.1 : 1,
      backBufferLength: live ? 10 : 60,
    });
    this.hls = hls;
    hls.on(Library.Events.MANIFEST_PARSED, () => {
      this.video.play().catch(() => this.onStatus('Press play'));
    });
    hls.on(Library.Events.ERROR, (_event, data) => {
      if (!data.fatal || this.hls !== hls) return;
      if (data.type === Library.ErrorTypes.NETWORK_ERROR) {
        this.onStatus('Waiting for the playlist…');
        this.after(() => hls.loadSource(url));
      } else if (data.type === Library.ErrorTypes.MEDIA_ERROR && this.mediaErrors === 0) {
        this.mediaErrors += 1;
        hls.recoverMediaError();
      } else {
        this.again(url);
      }
    });
    hls.loadSource(url);
    hls.attachMedia(this.video);
  }

  /** Browsers that play HLS by themselves and lack Media Source Extensions. */
  private playNatively(url: string): void {
    if (this.video.canPlayType(NATIVE_TYPE) === '') {
      this.onStatus('This browser cannot play HLS');
      return;
    }
    this.video.src = url;
    this.video.onerror = () => this.again(url);
    this.video.play().catch(() => this.onStatus('Press play'));
  }

  private again(url: string): void {
    this.hls?.destroy();
    this.hls = null;
    this.onStatus('Waiting for the playlist…');
    this.after(() => void this.load(url));
  }

  /** Runs `action` a little later unless something else, or nothing, is played by then. */
  private after(action: () => void): void {
    const { url } = this;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.url === url) action();
    }, RETRY_MS);
  }
}
