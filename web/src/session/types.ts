/** The JSON of the session API, as `api/src/session_api/mod.rs` describes it. */

export interface Config {
  region: string;
  accountId: string;
  whipUrl: string;
  loginRequired: boolean;
  loggedIn: boolean;
}

export interface Stage {
  stageId: string;
  arn: string;
  name?: string;
  activeSessionId?: string;
}

export interface Participant {
  participantId: string;
  userId?: string;
  attributes: Record<string, string>;
  hasAudio: boolean;
  hasVideo: boolean;
  joinedAt?: string;
}

export interface TokenRequest {
  userId?: string;
  attributes?: Record<string, string>;
  capabilities?: ('PUBLISH' | 'SUBSCRIBE')[];
}

export interface Token {
  token: string;
  participantId: string;
  whipUrl: string;
  expirationTime: string;
}

export type CompositionState = 'STARTING' | 'ACTIVE' | 'STOPPING' | 'STOPPED' | 'FAILED';

interface DestinationBase {
  id: string;
  state: CompositionState | 'RECONNECTING';
  startTime?: string;
  endTime?: string;
}

export type Destination = DestinationBase &
  (
    | { kind: 'channel'; channel: { arn: string; playbackUrl: string } }
    | {
        kind: 'recording';
        recording: { bucket: string; prefix: string; uri: string; playbackUrl?: string };
      }
  );

export interface Composition {
  compositionId: string;
  arn: string;
  stageId: string;
  state: CompositionState;
  startTime?: string;
  endTime?: string;
  destinations: Destination[];
}

/** The `LayoutConfiguration` of the IVS Real-Time API, as far as the page uses it. */
export type Layout =
  | { grid: { featuredParticipantAttribute?: string; gridGap?: number; videoFillMode?: string } }
  | {
      pip: {
        featuredParticipantAttribute?: string;
        gridGap?: number;
        pipParticipantAttribute: string;
        pipPosition: string;
        pipOffset: number;
      };
    };

export interface CompositionRequest {
  stageId: string;
  layout: Layout;
  width: number;
  height: number;
  bitrate: number;
  channel: boolean;
  recording: boolean;
}
