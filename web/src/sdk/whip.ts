/** Publishing to a stage by WHIP. */

import { type VideoCodec, encodingsFor, preferCodec } from './encodings';
import { PeerLink, type LinkState } from './peer-link';
import type { SignalingError } from './signaling';

/** What to publish, and where. */
export interface PublishOptions {
  whipUrl: string;
  token: string;
  audio: MediaStreamTrack | null;
  video: MediaStreamTrack | null;
  codec: VideoCodec;
  simulcast: boolean;
  onState(state: LinkState, problem?: SignalingError): void;
}

/** Not in every version of the type library, but in every browser that matters here. */
type SendParameters = RTCRtpSendParameters & { degradationPreference?: string };

const HEIGHT_UNKNOWN = 720;

/** A participant's published sound and picture. */
export class Publisher {
  private readonly link: PeerLink;
  private audio: MediaStreamTrack | null;
  private video: MediaStreamTrack | null;
  /** Whether the sections exist: they stay when a track is taken away. */
  private readonly sends: { audio: boolean; video: boolean };
  private readonly height: number;

  private constructor(private readonly options: PublishOptions) {
    this.audio = options.audio;
    this.video = options.video;
    this.sends = { audio: options.audio !== null, video: options.video !== null };
    this.height = options.video?.getSettings().height ?? HEIGHT_UNKNOWN;
    this.link = new PeerLink({
      url: options.whipUrl,
      token: options.token,
      build: () => this.build(),
      onState: options.onState,
    });
  }

  /** Publishes; throws the server's refusal. A connection that breaks later comes back by itself. */
  static async start(options: PublishOptions): Promise<Publisher> {
    const publisher = new Publisher(options);
    await publisher.link.open();
    return publisher;
  }

  /** Sends another picture, or none: the camera is off then. */
  async replaceVideo(track: MediaStreamTrack | null): Promise<void> {
    this.video = track;
    await this.sender('video')?.replaceTrack(track);
  }

  /** Sends another sound, or none. */
  async replaceAudio(track: MediaStreamTrack | null): Promise<void> {
    this.audio = track;
    await this.sender('audio')?.replaceTrack(track);
  }

  /** Leaves. */
  async stop(): Promise<void> {
    await this.link.close();
  }

  private async build(): Promise<RTCPeerConnection> {
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    if (this.sends.audio) {
      peer.addTransceiver(this.audio ?? 'audio', { direction: 'sendonly' });
    }
    if (this.sends.video) {
      const transceiver = peer.addTransceiver(this.video ?? 'video', {
        direction: 'sendonly',
        sendEncodings: encodingsFor(this.height, this.options.simulcast),
      });
      const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
      transceiver.setCodecPreferences(preferCodec(codecs, this.options.codec));
      await keepResolution(transceiver.sender);
    }
    return peer;
  }

  private sender(kind: 'audio' | 'video'): RTCRtpSender | undefined {
    const transceivers = this.link.connection?.getTransceivers() ?? [];
    return transceivers.find((each) => each.receiver.track.kind === kind)?.sender;
  }
}

/** Browsers otherwise begin with a smaller picture and take long to grow. */
async function keepResolution(sender: RTCRtpSender): Promise<void> {
  const parameters: SendParameters = sender.getParameters();
  parameters.degradationPreference = 'maintain-resolution';
  await sender.setParameters(parameters);
}
