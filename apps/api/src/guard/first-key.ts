import { ADMIN_ROLE } from '#libs/api-contracts';
import { StoreUnavailableError, type StoredDefinition } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import { isLoopback } from '../http/access.ts';
import type { Guard } from './guard.ts';
import type { StoredApiKey } from './stored.ts';

/** The id of the first key. All replicas try to make the same one, so that one of them does. */
const ID = 'first22222222222';

/** For how long it is taken: it lies where standard output was kept. */
const DAYS = 30;
const DAY_MS = 86_400_000;

/** How long to wait before a store that is away is asked again. */
const AGAIN_MS = 1_000;

/**
 * The key without which nobody could make another one: made where the API listens beyond its machine and the configuration
 * names nobody who may do everything. It ends by itself; where it was the last that could do everything, the next start
 * makes one again.
 */
export class FirstKey {
  readonly #guard: Guard;
  readonly #announce: (text: string) => void;
  #again: NodeJS.Timeout | undefined;
  readonly #now: () => number;
  #isClosed = false;

  /**
   * @param announce - shows the key, this once.
   * @param now - milliseconds since 1970.
   */
  constructor(guard: Guard, announce: (text: string) => void, now: () => number) {
    this.#guard = guard;
    this.#announce = announce;
    this.#now = now;
  }

  /** Makes the key if there is none; while the store is away it goes on trying. */
  async begin(config: Config): Promise<void> {
    const { admins } = this.#guard;
    if (this.#isClosed || admins.areConfigured || isLoopback(config.api.host)) return;
    try {
      const { keys } = this.#guard;
      // Read before it is asked who there is: another replica that makes the key in between has changed it then.
      const former = await keys.store.get(ID);
      if (!(await keys.exist())) await this.#make('has no key yet');
      else if (!(await admins.exist())) await this.#makeAgain(former);
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

  async #make(why: string): Promise<void> {
    const made = await this.#guard.keys.create({
      ...{ id: ID, name: 'first key', role: ADMIN_ROLE, scopes: [], cidrs: [] },
      ...{ createdBy: 'first start', expiresAtMs: this.#endsAtMs() },
    });
    if (made !== undefined) this.#show(why, made.secret);
  }

  /** Gives the first key another secret and another end; it is made anew when it was revoked. */
  async #makeAgain(former: StoredDefinition<StoredApiKey> | undefined): Promise<void> {
    const why = 'has no key any more that may do everything';
    if (former === undefined) return this.#make(why);
    const { name, createdAtMs, createdBy } = former.item;
    const item = {
      ...{ id: ID, name, createdAtMs, createdBy, role: ADMIN_ROLE, scopes: [], cidrs: [] },
      ...{ secrets: [], expiresAtMs: this.#endsAtMs() },
    };
    const made = await this.#guard.keys.rotate({ ...former, item }, 0);
    if (made !== undefined) this.#show(why, made.secret);
  }

  #endsAtMs(): number {
    return this.#now() + DAYS * DAY_MS;
  }

  #show(why: string, secret: string): void {
    this.#announce(
      `\nThe admin API ${why}. This is the first one; it may do everything, for ${DAYS} days, and is shown only now:\n\n  ${secret}\n\nMake keys of your own with it (POST /api/v1/api-keys), then revoke it (DELETE /api/v1/api-keys/${ID}).\n`,
    );
  }
}
