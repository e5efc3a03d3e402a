/** What this participant sends: camera and microphone, the microphone alone, or the pattern. */

import { type Pattern, startPattern } from './pattern';

export type Source = 'camera' | 'microphone' | 'pattern' | 'none';

export interface Size {
  width: number;
  height: number;
}

/** Sound and picture of this participant. */
export class LocalMedia {
  private constructor(
    private readonly captured: MediaStream,
    private readonly pattern: Pattern | null,
    private readonly size: Size,
    /** Why the pattern is sent although the camera was wanted. */
    readonly fallback: string | null,
  ) {}

  /** Opens the source; a camera that cannot be had is replaced by the pattern, and `fallback` says why. */
  static async open(source: Source, name: string, size: Size): Promise<LocalMedia> {
    if (source === 'none') return new LocalMedia(new MediaStream(), null, size, null);
    if (source === 'pattern') return LocalMedia.fromPattern(name, size, null);
    try {
      const video = source === 'camera' ? videoConstraints(size) : false;
      const captured = await capture({ audio: audioConstraints, video });
      return new LocalMedia(captured, null, size, null);
    } catch (error) {
      return LocalMedia.fromPattern(name, size, captureProblem(error));
    }
  }

  private static async fromPattern(name: string, size: Size, fallback: string | null) {
    const pattern = await startPattern(name, size.width, size.height);
    return new LocalMedia(pattern.stream, pattern, size, fallback);
  }

  /** For the participant's own tile. */
  get stream(): MediaStream {
    return this.captured;
  }

  get audio(): MediaStreamTrack | null {
    return this.captured.getAudioTracks()[0] ?? null;
  }

  get video(): MediaStreamTrack | null {
    return this.captured.getVideoTracks()[0] ?? null;
  }

  /** Mutes by sending silence. */
  setMuted(muted: boolean): void {
    if (this.audio !== null) this.audio.enabled = !muted;
  }

  /** Lets go of the camera, so that its light goes out; the pattern just rests. */
  stopCamera(): void {
    if (this.pattern !== null || this.video === null) return;
    const track = this.video;
    track.stop();
    this.captured.removeTrack(track);
  }

  /** The picture again; throws when the camera cannot be had any more. */
  async startCamera(): Promise<MediaStreamTrack | null> {
    if (this.pattern === null && this.video === null) {
      try {
        const captured = await capture({ video: videoConstraints(this.size) });
        for (const track of captured.getVideoTracks()) this.captured.addTrack(track);
      } catch (error) {
        throw new Error(captureProblem(error));
      }
    }
    return this.video;
  }

  close(): void {
    this.pattern?.stop();
    for (const track of this.captured.getTracks()) track.stop();
  }
}

const audioConstraints: MediaTrackConstraints = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

function videoConstraints(size: Size): MediaTrackConstraints {
  return {
    width: { ideal: size.width },
    height: { ideal: size.height },
    frameRate: { ideal: 30 },
  };
}

function capture(constraints: MediaStreamConstraints): Promise<MediaStream> {
  // Absent on pages that are neither HTTPS nor on a loopback address.
  const devices: MediaDevices | undefined = navigator.mediaDevices;
  if (devices === undefined) throw new DOMException('insecure page', 'SecurityError');
  return devices.getUserMedia(constraints);
}

/** What stood in the way, in words for the user. */
export function captureProblem(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  switch (name) {
    case 'NotAllowedError':
      return 'The browser does not allow this page to use the camera and microphone';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'No camera or microphone was found';
    case 'NotReadableError':
    case 'AbortError':
      return 'The camera or microphone is in use by another program';
    case 'SecurityError':
      return 'Browsers give the camera only to pages opened by HTTPS or at a loopback address';
    default:
      return 'The camera or microphone cannot be opened';
  }
}
