import { createLocalJWKSet, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose';
import type { CryptoKey, JSONWebKeySet, KeyObject } from 'jose';

/** What a key set is loaded with. */
export interface KeySetParts {
  /** Reads the set: the text of a JSON Web Key Set. */
  readonly load: () => Promise<string>;
  readonly nowMs: () => number;
  /** How old a set may become before it is read again. */
  readonly refreshMs: number;
  /** Told when the set is another one: what was verified by the former counts no more. */
  readonly changed: () => void;
  /** Told what is wrong when a set cannot be read, and the one before it is used on; once until one can be read again. */
  readonly failed: (reason: string) => void;
}

/** How long a set is used on that cannot be read again. */
const STALE_MS_MAX = 86_400_000;
/** A token with a key id that nobody knows has the set read again, but not more often than this. */
const COOLDOWN_MS = 30_000;
/** As long as there is no set, it is not asked for more often than this: whoever sends tokens does not say how often. */
const RETRY_MS = 1_000;

type FindKey = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;
type Loaded = { readonly text: string; readonly find: FindKey; readonly atMs: number };

/**
 * A JSON Web Key Set that is read again from time to time, and for a key that is not in it.
 *
 * @remarks One reading at a time, whoever waits for it. A set that is due is used until the next one is here.
 */
export class KeySet {
  readonly #parts: KeySetParts;
  #loaded: Loaded | undefined;
  #loading: Promise<Loaded> | undefined;
  #triedAtMs = -Infinity;
  #isFailing = false;

  constructor(parts: KeySetParts) {
    this.#parts = parts;
  }

  /** Has an old set read again; returns at once. */
  refresh(): void {
    const loaded = this.#loaded;
    if (loaded === undefined) return;
    const nowMs = this.#parts.nowMs();
    const isDue = nowMs - loaded.atMs > this.#parts.refreshMs;
    if (isDue && this.#mayTry(nowMs)) void this.#load().catch(() => undefined);
  }

  /** Finds the key of a token; rejects with an error of `jose` when it is not there, and with another when the set is not. */
  readonly find = async (
    header: JWSHeaderParameters,
    token: FlattenedJWSInput,
  ): Promise<CryptoKey | KeyObject> => {
    const loaded = await this.#usable();
    try {
      return await loaded.find(header, token);
    } catch (error) {
      if (codeOf(error) !== 'ERR_JWKS_NO_MATCHING_KEY') throw error;
      const next = await this.#next(loaded).catch(() => undefined);
      if (next === undefined || next.text === loaded.text) throw error;
      return await next.find(header, token);
    }
  };

  async #usable(): Promise<Loaded> {
    const loaded = this.#loaded;
    const nowMs = this.#parts.nowMs();
    if (loaded !== undefined && nowMs - loaded.atMs < this.#staleMs) return loaded;
    if (this.#loading === undefined && nowMs - this.#triedAtMs < RETRY_MS) throw unread();
    return await this.#load();
  }

  /** The set after one in which a key was not found: it may be here, or on its way, by now. */
  async #next(former: Loaded): Promise<Loaded | undefined> {
    if (this.#loaded !== former) return this.#loaded;
    const mayLoad = this.#loading !== undefined || this.#mayTry(this.#parts.nowMs());
    return mayLoad ? await this.#load() : undefined;
  }

  get #staleMs(): number {
    return Math.max(STALE_MS_MAX, this.#parts.refreshMs);
  }

  #mayTry(nowMs: number): boolean {
    return nowMs - this.#triedAtMs >= Math.min(COOLDOWN_MS, this.#parts.refreshMs);
  }

  #load(): Promise<Loaded> {
    return (this.#loading ??= this.#read().finally(() => (this.#loading = undefined)));
  }

  async #read(): Promise<Loaded> {
    const { nowMs, load, changed, failed } = this.#parts;
    this.#triedAtMs = nowMs();
    try {
      const text = await load();
      const before = this.#loaded;
      const find = before?.text === text ? before.find : keysOf(text);
      this.#loaded = { text, find, atMs: nowMs() };
      this.#isFailing = false;
      if (before !== undefined && before.text !== text) changed();
      return this.#loaded;
    } catch (error) {
      if (!this.#isFailing) failed(error instanceof Error ? error.message : String(error));
      this.#isFailing = true;
      throw unread(error);
    }
  }
}

function unread(cause?: unknown): Error {
  return new Error('the keys of tokens cannot be read', { cause });
}

function keysOf(text: string): FindKey {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new Error('is no JSON');
  }
  return createLocalJWKSet(set as JSONWebKeySet);
}

/** The code of an error of `jose`, or of Node. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
