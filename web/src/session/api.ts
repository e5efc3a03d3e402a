/** The session API of the server that this page came from. */

import type {
  Composition,
  CompositionRequest,
  Config,
  Participant,
  Stage,
  Token,
  TokenRequest,
} from './types';

/** A refused or failed call. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** What the body of a refusal says, as far as it is the server's JSON. */
export function apiError(status: number, body: unknown): ApiError {
  const inner = member(body, 'error');
  const code = member(inner, 'code');
  const message = member(inner, 'message');
  return new ApiError(
    status,
    typeof code === 'string' ? code : `Http${status}`,
    typeof message === 'string' ? message : `the server answered ${status}`,
  );
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** The token of this server start, which `GET /` writes into the page. */
export function sessionToken(page: Document): string {
  return page.querySelector<HTMLMetaElement>('meta[name=session-token]')?.content ?? '';
}

/** Calls need the token of this server start; after a restart the new one is fetched, and whoever is on a stage stays. */
export class SessionApi {
  constructor(
    private token: string,
    private readonly onLoginRequired: () => void,
  ) {}

  config(): Promise<Config> {
    return this.call('GET', 'config');
  }

  async login(password: string): Promise<void> {
    await this.call('POST', 'login', { password });
  }

  async stages(): Promise<Stage[]> {
    return (await this.call<{ stages: Stage[] }>('GET', 'stages')).stages;
  }

  async createStage(name: string): Promise<Stage> {
    return (await this.call<{ stage: Stage }>('POST', 'stages', name === '' ? {} : { name })).stage;
  }

  createToken(stageId: string, request: TokenRequest): Promise<Token> {
    return this.call('POST', `stages/${encodeURIComponent(stageId)}/tokens`, request);
  }

  async participants(stageId: string, signal?: AbortSignal): Promise<Participant[]> {
    const path = `stages/${encodeURIComponent(stageId)}/participants`;
    const answer = await this.call<{ participants: Participant[] }>('GET', path, undefined, signal);
    return answer.participants;
  }

  async compositions(stageId: string, signal?: AbortSignal): Promise<Composition[]> {
    const path = `compositions?stageId=${encodeURIComponent(stageId)}`;
    const answer = await this.call<{ compositions: Composition[] }>('GET', path, undefined, signal);
    return answer.compositions;
  }

  async startComposition(request: CompositionRequest): Promise<Composition> {
    return (await this.call<{ composition: Composition }>('POST', 'compositions', request))
      .composition;
  }

  async stopComposition(compositionId: string): Promise<Composition> {
    const path = `compositions/${encodeURIComponent(compositionId)}/stop`;
    return (await this.call<{ composition: Composition }>('POST', path, {})).composition;
  }

  private async call<T>(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<T> {
    try {
      return (await this.once(method, path, body, signal)) as T;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 'LoginRequired') this.onLoginRequired();
      if (error.code !== 'SessionTokenMismatch') throw error;
    }
    await this.renewToken();
    return (await this.once(method, path, body, signal)) as T;
  }

  private async once(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const headers: Record<string, string> = { 'X-Session-Token': this.token };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await reach(`/session/${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      signal: signal ?? null,
    });
    const text = await response.text();
    const answer: unknown = text === '' ? undefined : parse(text);
    if (response.ok) return answer;
    throw apiError(response.status, answer);
  }

  private async renewToken(): Promise<void> {
    const response = await reach('/', { cache: 'no-store' });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    this.token = sessionToken(page);
  }
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError(0, 'Unreachable', 'The server cannot be reached. Is it still running?');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
