/** The HTTP of WHIP (RFC 9725): an offer goes out, an answer and the URL of the session come back. */

/** A refused or failed request; `code` is the server's word for it. */
export class SignalingError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'SignalingError';
  }

  /** Whether asking again with the same token cannot help. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429;
  }
}

/** An answered offer. */
export interface Answered {
  sdp: string;
  /** Where the session is ended by DELETE; `null` when the server named none. */
  resource: string | null;
}

/** `whipUrl` + `/subscribe/<participantId>`, whatever the URL ends with. */
export function subscribeUrl(whipUrl: string, participantId: string): string {
  return `${whipUrl.replace(/\/+$/, '')}/subscribe/${encodeURIComponent(participantId)}`;
}

/** The session's URL: `Location` may be relative to the URL that was asked. */
export function resourceUrl(location: string | null, requestUrl: string): string | null {
  return location === null ? null : new URL(location, requestUrl).href;
}

/** Sends an offer. */
export async function sendOffer(
  url: string,
  token: string,
  sdp: string,
  signal: AbortSignal,
): Promise<Answered> {
  const response = await request(url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' },
    body: sdp,
    signal,
  });
  return {
    sdp: await response.text(),
    resource: resourceUrl(response.headers.get('Location'), url),
  };
}

/** Ends a session; a session that is gone already is no error. `keepalive` lets it outlive the page. */
export async function endSession(resource: string, token: string): Promise<void> {
  try {
    await request(resource, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${token}` },
      keepalive: true,
    });
  } catch {
    // The server notices by itself that the peer is gone.
  }
}

/** What a refusal's body says, as far as it is the server's JSON. */
export function refusal(status: number, body: string): SignalingError {
  let code = `Http${status}`;
  let message = `the server answered ${status}`;
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null) {
      if ('code' in parsed && typeof parsed.code === 'string') code = parsed.code;
      if ('message' in parsed && typeof parsed.message === 'string') message = parsed.message;
    }
  } catch {
    // Not JSON: a proxy's page, for instance.
  }
  return new SignalingError(status, code, message);
}

async function request(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new SignalingError(0, 'Unreachable', 'the server cannot be reached');
  }
  if (!response.ok) throw refusal(response.status, await response.text());
  return response;
}
