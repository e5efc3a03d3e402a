/** Seeing and hearing one other participant of a stage. */

import { PeerLink, type LinkState } from './peer-link';
import { type SignalingError, subscribeUrl } from './signaling';

/** Whom to subscribe to, and where. */
export interface SubscribeOptions {
  whipUrl: string;
  token: string;
  participantId: string;
  onState(state: LinkState, problem?: SignalingError): void;
}

/** A running subscription. */
export class Subscription {
  /** The sound and picture; the same object for as long as the subscription lives. */
  readonly stream = new MediaStream();
  private readonly link: PeerLink;

  /** Nothing happens before [open]; hand `stream` to a video element. */
  constructor(options: SubscribeOptions) {
    this.link = new PeerLink({
      url: subscribeUrl(options.whipUrl, options.participantId),
      token: options.token,
      build: () => this.build(),
      onState: options.onState,
    });
  }

  /** Subscribes; throws the server's refusal. */
  async open(): Promise<void> {
    await this.link.open();
  }

  /** Ends the subscription. */
  async close(): Promise<void> {
    await this.link.close();
  }

  private build(): RTCPeerConnection {
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    for (const kind of ['audio', 'video'] as const) {
      peer.addTransceiver(kind, { direction: 'recvonly' });
    }
    for (const old of this.stream.getTracks()) this.stream.removeTrack(old);
    peer.addEventListener('track', (event) => this.stream.addTrack(event.track));
    return peer;
  }
}
