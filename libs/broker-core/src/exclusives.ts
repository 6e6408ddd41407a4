import type { ExclusiveHolder } from '#libs/broker-ports';
import { REASON, type ReasonCode } from '#libs/mqtt-codec';
import { isExclusive, plainFilter } from '#libs/topic-index';
import type { NodeParts } from './parts.ts';
import type { SessionEntry } from './session-entry.ts';

/** How often a filter may change hands while a client asks for it. */
const CLAIM_TRIES = 3;

/**
 * Exclusive subscriptions: `$exclusive/filter` belongs to one session of the cluster at a time.
 *
 * @remarks A session takes what it holds along from node to node. What could not be released when it ended is given to the
 * next that asks, because the session is gone.
 */
export class Exclusives {
  readonly #parts: Pick<NodeParts, 'exclusive' | 'log' | 'sessions'>;

  constructor(parts: Pick<NodeParts, 'exclusive' | 'log' | 'sessions'>) {
    this.#parts = parts;
  }

  /**
   * Gives a filter to a session.
   *
   * @returns undefined when the session has it, else what SUBACK is to say.
   */
  async claim(entry: SessionEntry, filter: string): Promise<ReasonCode | undefined> {
    const { exclusive, sessions, log } = this.#parts;
    if (exclusive === undefined) return REASON.topicFilterInvalid;
    const holder = holderOf(entry);
    let replaces: ExclusiveHolder | undefined;
    try {
      for (let tries = 0; tries < CLAIM_TRIES; tries += 1) {
        const held = await exclusive.claim(plainFilter(filter), holder, replaces);
        if (isSame(held, holder)) {
          if (entry.isGone) void this.release(entry, [filter]);
          return undefined;
        }
        const record = await sessions.load(held.clientId);
        if (record?.createdAtMs === held.createdAtMs) break;
        replaces = held;
      }
      return REASON.quotaExceeded;
    } catch (error) {
      log.warn('exclusive-claim-failed', { reason: String(error) });
      return REASON.unspecifiedError;
    }
  }

  /** Gives up those of the filters that are exclusive; resolves with whether the store has taken it. */
  async release(entry: SessionEntry, filters: readonly string[]): Promise<boolean> {
    try {
      await this.#release(entry, filters);
      return true;
    } catch (error) {
      this.#parts.log.warn('exclusive-release-failed', { reason: String(error) });
      return false;
    }
  }

  /** The session is over. */
  releaseAll(entry: SessionEntry): void {
    void this.release(entry, [...entry.subscriptions.keys()]);
  }

  async #release(entry: SessionEntry, filters: readonly string[]): Promise<void> {
    const held = filters.filter(isExclusive).map(plainFilter);
    if (held.length > 0) await this.#parts.exclusive?.release(held, holderOf(entry));
  }
}

function holderOf({ clientId, createdAtMs }: SessionEntry): ExclusiveHolder {
  return { clientId, createdAtMs };
}

function isSame(one: ExclusiveHolder, other: ExclusiveHolder): boolean {
  return one.clientId === other.clientId && one.createdAtMs === other.createdAtMs;
}
