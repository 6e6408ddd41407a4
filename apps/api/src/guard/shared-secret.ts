import { randomBytes } from 'node:crypto';
import type { ApiState, DefinitionStore } from '#libs/broker-ports';

/** A secret that replicas share, as it is kept. */
interface StoredSecretText {
  readonly id: string;
  readonly text: string;
}

const ID = 'signatures';
const BYTES = 32;

/** What the replicas of the API sign with: the key of the configuration, or else a secret that the first of them makes by chance. */
export class SharedSecret {
  readonly #store: DefinitionStore<StoredSecretText>;
  #value: string | undefined;

  /** @param configured - the key of the configuration. */
  constructor(state: ApiState, configured: string | undefined) {
    this.#store = state.definitions<StoredSecretText>('secrets');
    this.#value = configured;
  }

  /** Has to be loaded before. */
  get value(): string {
    if (this.#value === undefined) throw new Error('the secret was not loaded');
    return this.#value;
  }

  /** Reads it, or makes it; once. @throws StoreUnavailableError */
  async load(): Promise<void> {
    if (this.#value !== undefined) return;
    const made = { id: ID, text: randomBytes(BYTES).toString('base64url') };
    const found = await this.#store.get(ID);
    if (found === undefined) await this.#store.put(made, undefined);
    // Another replica may have been faster: what is stored counts.
    this.#value = (found ?? (await this.#store.get(ID)))?.item.text;
  }
}
