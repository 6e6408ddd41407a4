import { ADMIN_ROLE } from '#libs/api-contracts';
import { StoreUnavailableError } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import { isLoopback } from '../http/access.ts';
import type { Guard } from './guard.ts';

/** The id of the first key. All replicas try to make the same one, so that one of them does. */
const ID = 'first22222222222';

/** How long to wait before a store that is away is asked again. */
const AGAIN_MS = 1_000;

/**
 * The key without which nobody could make another one: made where the API listens beyond its machine and the configuration
 * names nobody who may do everything.
 */
export class FirstKey {
  readonly #guard: Guard;
  readonly #announce: (text: string) => void;
  #again: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param announce - shows the key, this once. */
  constructor(guard: Guard, announce: (text: string) => void) {
    this.#guard = guard;
    this.#announce = announce;
  }

  /** Makes the key if there is none; while the store is away it goes on trying. */
  async begin(config: Config): Promise<void> {
    const { admins } = this.#guard;
    if (this.#isClosed || admins.areConfigured || isLoopback(config.api.host)) return;
    try {
      if (!(await this.#guard.keys.exist())) await this.#make();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      this.#again = setTimeout(() => void this.begin(config), AGAIN_MS).unref();
    }
  }

  /** Whether programs on this machine are served without a key, as far as is known. */
  async isOpen({ api }: Config): Promise<boolean> {
    if (api.key !== undefined || api.jwt.issuer !== undefined || !isLoopback(api.host))
      return false;
    return !(await this.#guard.keys.exist().catch(() => true));
  }

  /** Stops trying. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
  }

  async #make(): Promise<void> {
    const made = await this.#guard.keys.create({
      ...{ id: ID, name: 'first key', role: ADMIN_ROLE, scopes: [], cidrs: [] },
      createdBy: 'first start',
    });
    if (made === undefined) return;
    this.#announce(
      `\nThe admin API has no key yet. This is the first one; it may do everything and is shown only now:\n\n  ${made.secret}\n\nMake keys with less with it (POST /api/v1/api-keys), then revoke it (DELETE /api/v1/api-keys/${ID}).\n`,
    );
  }
}
