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
  /** Told what is wrong when a set cannot be read, and the one before it is used on. */
  readonly failed: (reason: string) => void;
}

/** How long a set is used on that cannot be read again. */
const STALE_MS_MAX = 86_400_000;
/** A token with a key id that nobody knows has the set read again, but not more often than this. */
const COOLDOWN_MS = 30_000;

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
      if (!this.#mayTry(this.#parts.nowMs())) throw error;
      const next = await this.#load().catch(() => undefined);
      if (next === undefined || next.text === loaded.text) throw error;
      return await next.find(header, token);
    }
  };

  async #usable(): Promise<Loaded> {
    const loaded = this.#loaded;
    if (loaded !== undefined && this.#parts.nowMs() - loaded.atMs < this.#staleMs) return loaded;
    return await this.#load();
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
      if (before !== undefined && before.text !== text) changed();
      return this.#loaded;
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error));
      throw new Error('the keys of tokens cannot be read', { cause: error });
    }
  }
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
