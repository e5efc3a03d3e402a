/** This participant on a stage: publishes, subscribes to everybody else, and leaves. */

import { poll } from '../poll';
import { type LinkState, Publisher, SignalingError, Subscription } from '../sdk';
import type { VideoCodec } from '../sdk';
import type { SessionApi } from '../session/api';
import { FEATURED_ATTRIBUTE, OVERLAY_ATTRIBUTE } from '../session/layout';
import type { Participant, Token, TokenRequest } from '../session/types';
import { LocalMedia, type Size, type Source } from './local-media';
import { rosterChange } from './roster';

const ROSTER_INTERVAL_MS = 1_000;
/** A refused subscription is forgotten after this time; the next look at the roster tries again. */
const RESUBSCRIBE_AFTER_MS = 2_000;

export interface JoinOptions {
  stageId: string;
  name: string;
  featured: boolean;
  overlay: boolean;
  source: Source;
  size: Size;
  codec: VideoCodec;
  simulcast: boolean;
}

/** What the page shows of it. */
export interface RoomView {
  localChanged(state: LinkState, problem?: SignalingError): void;
  participantArrived(participant: Participant, stream: MediaStream): void;
  participantChanged(participant: Participant): void;
  participantState(participantId: string, state: LinkState): void;
  participantLeft(participantId: string): void;
  rosterFailed(error: unknown): void;
  rosterAnswered(): void;
}

/** Joined from [Room.join] to [Room.leave]. */
export class Room {
  private readonly leaving = new AbortController();
  private readonly others = new Map<string, Subscription>();
  private publisher: Publisher | null = null;
  /** Of the published sound and picture. */
  state: LinkState = 'connecting';

  private constructor(
    private readonly api: SessionApi,
    private readonly options: JoinOptions,
    private readonly view: RoomView,
    private readonly token: Token,
    readonly media: LocalMedia,
  ) {}

  /** Opens the source, publishes it, and begins to subscribe. Throws what went wrong. */
  static async join(api: SessionApi, options: JoinOptions, view: RoomView): Promise<Room> {
    const media = await LocalMedia.open(options.source, options.name, options.size);
    try {
      const token = await api.createToken(options.stageId, tokenRequest(options));
      const room = new Room(api, options, view, token, media);
      await room.publish();
      void poll(ROSTER_INTERVAL_MS, room.leaving.signal, (signal) => room.follow(signal));
      return room;
    } catch (error) {
      media.close();
      throw error;
    }
  }

  get participantId(): string {
    return this.token.participantId;
  }

  /** False for those who only watch. */
  get publishes(): boolean {
    return this.publisher !== null;
  }

  async setMuted(muted: boolean): Promise<void> {
    this.media.setMuted(muted);
  }

  async setCameraOff(off: boolean): Promise<void> {
    if (off) {
      await this.publisher?.replaceVideo(null);
      this.media.stopCamera();
    } else {
      await this.publisher?.replaceVideo(await this.media.startCamera());
    }
  }

  async leave(): Promise<void> {
    this.leaving.abort();
    const ends = [...this.others.values()].map((each) => each.close());
    this.others.clear();
    await Promise.all([...ends, this.publisher?.stop()]);
    this.media.close();
  }

  private async publish(): Promise<void> {
    const { audio, video } = this.media;
    if (audio === null && video === null) return;
    this.publisher = await Publisher.start({
      whipUrl: this.token.whipUrl,
      token: this.token.token,
      audio,
      video,
      codec: this.options.codec,
      simulcast: this.options.simulcast,
      onState: (state, problem) => {
        this.state = state;
        this.view.localChanged(state, problem);
      },
    });
  }

  private async follow(signal: AbortSignal): Promise<void> {
    let publishing: Participant[];
    try {
      publishing = await this.api.participants(this.options.stageId, signal);
    } catch (error) {
      if (!signal.aborted) this.view.rosterFailed(error);
      return;
    }
    if (signal.aborted) return;
    this.view.rosterAnswered();
    const { arrived, left } = rosterChange(this.others.keys(), publishing, this.participantId);
    for (const id of left) this.forget(id);
    for (const participant of arrived) this.subscribe(participant);
    for (const participant of publishing) this.view.participantChanged(participant);
  }

  private subscribe(participant: Participant): void {
    const { participantId } = participant;
    const subscription = new Subscription({
      whipUrl: this.token.whipUrl,
      token: this.token.token,
      participantId,
      onState: (state, problem) => {
        this.view.participantState(participantId, state);
        if (problem?.isFinal) this.forget(participantId);
      },
    });
    this.others.set(participantId, subscription);
    this.view.participantArrived(participant, subscription.stream);
    subscription.open().catch(() => {
      setTimeout(() => {
        if (this.others.get(participantId) === subscription) this.forget(participantId);
      }, RESUBSCRIBE_AFTER_MS);
    });
  }

  private forget(participantId: string): void {
    const subscription = this.others.get(participantId);
    if (subscription === undefined) return;
    this.others.delete(participantId);
    void subscription.close();
    this.view.participantLeft(participantId);
  }
}

function tokenRequest({ name, featured, overlay, source }: JoinOptions): TokenRequest {
  const attributes: Record<string, string> = { displayName: name };
  if (featured) attributes[FEATURED_ATTRIBUTE] = 'true';
  if (overlay) attributes[OVERLAY_ATTRIBUTE] = 'true';
  return {
    userId: name,
    attributes,
    capabilities: source === 'none' ? ['SUBSCRIBE'] : ['PUBLISH', 'SUBSCRIBE'],
  };
}
