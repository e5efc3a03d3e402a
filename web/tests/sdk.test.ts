import { describe, expect, it } from 'vitest';

import { bitrateFor, encodingsFor, preferCodec } from '../src/sdk/encodings';
import { retryDelayMs } from '../src/sdk/peer-link';
import { refusal, resourceUrl, subscribeUrl } from '../src/sdk/signaling';

describe('encodings', () => {
  it('has three layers at 720p, smallest first', () => {
    const layers = encodingsFor(720, true).map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy]);
    expect(layers).toEqual([['q', 4], ['h', 2], ['f', 1]]);
  });

  it('leaves out layers that would be tiny', () => {
    expect(encodingsFor(360, true).map(({ rid }) => rid)).toEqual(['h', 'f']);
    expect(encodingsFor(180, true).map(({ rid }) => rid)).toEqual(['f']);
  });

  it('has one encoding without rid when simulcast is off', () => {
    expect(encodingsFor(720, false)).toEqual([{ maxBitrate: 2_500_000, maxFramerate: 30 }]);
  });

  it('gives each layer the rate of its own height', () => {
    const rates = encodingsFor(720, true).map(({ maxBitrate }) => maxBitrate);
    expect(rates).toEqual([bitrateFor(180), bitrateFor(360), bitrateFor(720)]);
  });
});

describe('codec order', () => {
  const codecs = ['video/VP8', 'video/rtx', 'video/H264', 'video/VP9', 'video/h264'].map(
    (mimeType) => ({ mimeType }),
  );

  it('puts every variant of the wanted codec first and keeps the order otherwise', () => {
    expect(preferCodec(codecs, 'H264').map(({ mimeType }) => mimeType)).toEqual([
      'video/H264',
      'video/h264',
      'video/VP8',
      'video/rtx',
      'video/VP9',
    ]);
  });

  it('offers the others when the wanted one is missing', () => {
    expect(preferCodec([{ mimeType: 'video/VP9' }], 'VP8')).toHaveLength(1);
  });
});

describe('signaling', () => {
  it('appends the participant to the WHIP URL', () => {
    expect(subscribeUrl('http://h:1/whip', 'abc')).toBe('http://h:1/whip/subscribe/abc');
    expect(subscribeUrl('http://h:1/whip/', 'a/b')).toBe('http://h:1/whip/subscribe/a%2Fb');
  });

  it('resolves a relative Location against the URL that was asked', () => {
    expect(resourceUrl('/whip/session/9', 'http://h:1/whip/subscribe/x')).toBe('http://h:1/whip/session/9');
    expect(resourceUrl(null, 'http://h:1/whip')).toBeNull();
  });

  it("takes code and message of the server's refusal", () => {
    const error = refusal(401, '{"code":"ExpiredToken","message":"the token expired"}');
    expect([error.status, error.code, error.message]).toEqual([401, 'ExpiredToken', 'the token expired']);
  });

  it('still says something when the refusal is not JSON', () => {
    const error = refusal(502, '<html>');
    expect([error.code, error.message]).toEqual(['Http502', 'the server answered 502']);
  });

  it.each([
    [401, true],
    [404, true],
    [429, false],
    [503, false],
    [0, false],
  ])('knows whether asking again after %i is in vain', (status, final) => {
    expect(refusal(status, '').isFinal).toBe(final);
  });
});

describe('reconnecting', () => {
  it('waits longer each time, up to eight seconds', () => {
    expect([1, 2, 3, 4, 5, 6].map(retryDelayMs)).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
  });
});
