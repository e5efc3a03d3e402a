/** One peer connection that is kept alive: negotiated over HTTP, and again from the start when it breaks. */

import { SignalingError, endSession, sendOffer } from './signaling';

/** What a link is doing. */
export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'closed';

/** What a link is made of. */
export interface LinkOptions {
  /** Where offers go. */
  url: string;
  /** The participant token. */
  token: string;
  /** Makes a connection with its tracks; called again for each attempt. */
  build(): Promise<RTCPeerConnection> | RTCPeerConnection;
  /** Told of each change; `problem` when the link closed by itself or an attempt failed. */
  onState(state: LinkState, problem?: SignalingError): void;
}

/** A connection that is not up within this time is tried anew. */
const CONNECT_LIMIT_MS = 10_000;
/** Interruptions shorter than this heal by themselves. */
const DISCONNECT_GRACE_MS = 3_000;
const RETRY_FIRST_MS = 500;
const RETRY_LONGEST_MS = 8_000;

/** The pause before attempt number `attempt` (from 1) of a reconnect: doubled each time, up to eight seconds. */
export function retryDelayMs(attempt: number): number {
  return Math.min(RETRY_FIRST_MS * 2 ** Math.max(0, attempt - 1), RETRY_LONGEST_MS);
}

/** See the module's text. */
export class PeerLink {
  private peer: RTCPeerConnection | null = null;
  private resource: string | null = null;
  private readonly ending = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;

  constructor(private readonly options: LinkOptions) {}

  /** The connection of the present attempt. */
  get connection(): RTCPeerConnection | null {
    return this.peer;
  }

  /** Makes the first attempt; a refusal of this one is thrown. */
  async open(): Promise<void> {
    this.options.onState('connecting');
    try {
      await this.negotiate();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Ends the session here and at the server. */
  async close(): Promise<void> {
    if (this.ending.signal.aborted) return;
    this.ending.abort();
    const resource = this.drop();
    this.options.onState('closed');
    if (resource !== null) await endSession(resource, this.options.token);
  }

  private async negotiate(): Promise<void> {
    const { url, token, build } = this.options;
    const peer = await build();
    if (this.ending.signal.aborted) {
      peer.close();
      return;
    }
    this.peer = peer;
    peer.addEventListener('connectionstatechange', () => this.watch(peer));
    await peer.setLocalDescription();
    // Candidates need not be sent: the gateway is an ICE-lite agent, which learns addresses from checks.
    const offer = peer.localDescription?.sdp ?? '';
    const answer = await sendOffer(url, token, offer, this.ending.signal);
    if (this.peer !== peer) {
      if (answer.resource !== null) await endSession(answer.resource, token);
      return;
    }
    this.resource = answer.resource;
    await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
    this.after(CONNECT_LIMIT_MS, peer, () => this.reconnect());
  }

  private watch(peer: RTCPeerConnection): void {
    if (this.peer !== peer) return;
    switch (peer.connectionState) {
      case 'connected':
        clearTimeout(this.timer);
        this.failures = 0;
        this.options.onState('connected');
        break;
      case 'disconnected':
        this.after(DISCONNECT_GRACE_MS, peer, () => this.reconnect());
        break;
      case 'failed':
      case 'closed':
        this.reconnect();
        break;
      case 'new':
      case 'connecting':
        break;
    }
  }

  private reconnect(problem?: SignalingError): void {
    const resource = this.drop();
    if (resource !== null) void endSession(resource, this.options.token);
    this.failures += 1;
    this.options.onState('reconnecting', problem);
    this.timer = setTimeout(() => void this.retry(), retryDelayMs(this.failures));
  }

  private async retry(): Promise<void> {
    try {
      await this.negotiate();
    } catch (error) {
      if (this.ending.signal.aborted) return;
      const problem =
        error instanceof SignalingError
          ? error
          : new SignalingError(0, 'NegotiationFailed', String(error));
      if (!problem.isFinal) {
        this.reconnect(problem);
        return;
      }
      this.ending.abort();
      this.drop();
      this.options.onState('closed', problem);
    }
  }

  /** Runs `action` later unless the connection has become another one or is up by then. */
  private after(delayMs: number, peer: RTCPeerConnection, action: () => void): void {
    clearTimeout(this.timer);
    if (peer.connectionState === 'connected') return;
    this.timer = setTimeout(() => {
      if (this.peer === peer && peer.connectionState !== 'connected') action();
    }, delayMs);
  }

  private drop(): string | null {
    clearTimeout(this.timer);
    const { peer, resource } = this;
    this.peer = null;
    this.resource = null;
    peer?.close();
    return resource;
  }
}
