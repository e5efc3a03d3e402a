/** What a publisher sends: codec order, simulcast layers, bit rates. Pure. */

/** A video codec that the stage takes. */
export type VideoCodec = 'H264' | 'VP8';

/** Full height from which a half layer still makes sense. */
const HALF_LAYER_FROM_HEIGHT = 360;
/** Full height from which a quarter layer still makes sense. */
const QUARTER_LAYER_FROM_HEIGHT = 720;

/** Bits per second that a picture of this height needs at most. */
export function bitrateFor(height: number): number {
  if (height >= 1080) return 4_500_000;
  if (height >= 720) return 2_500_000;
  if (height >= 540) return 1_500_000;
  if (height >= 360) return 800_000;
  return 250_000;
}

/**
 * The encodings of a picture of this height, smallest first as browsers want them: rids `q`, `h`, `f` for a quarter, a half
 * and the full size. Without simulcast one encoding without rid.
 */
export function encodingsFor(height: number, simulcast: boolean): RTCRtpEncodingParameters[] {
  const full = { maxBitrate: bitrateFor(height), maxFramerate: 30 };
  if (!simulcast) return [full];
  const layers: RTCRtpEncodingParameters[] = [{ rid: 'f', scaleResolutionDownBy: 1, ...full }];
  if (height >= HALF_LAYER_FROM_HEIGHT) layers.unshift(layer('h', 2, height));
  if (height >= QUARTER_LAYER_FROM_HEIGHT) layers.unshift(layer('q', 4, height));
  return layers;
}

function layer(rid: string, scaleResolutionDownBy: number, height: number): RTCRtpEncodingParameters {
  return {
    rid,
    scaleResolutionDownBy,
    maxBitrate: bitrateFor(height / scaleResolutionDownBy),
    maxFramerate: 30,
  };
}

/** The codecs with the wanted one first; the order of the others stays, so that a peer without it still has a choice. */
export function preferCodec<C extends { mimeType: string }>(codecs: C[], wanted: VideoCodec): C[] {
  const isWanted = (codec: C) => codec.mimeType.toLowerCase() === `video/${wanted.toLowerCase()}`;
  return [...codecs.filter(isWanted), ...codecs.filter((codec) => !isWanted(codec))];
}
