import { SpoolError, type InheritedSpool, type Spool, type SpoolEstate } from '#libs/broker-ports';
import type { RedisLink } from '#libs/redis-client';
import { spoolsKey } from './keys.ts';
import type { RedisBlocks } from './redis-blocks.ts';
import { openBlocks, openLink, openOver, type RedisSpoolOptions } from './redis-spool.ts';

/** What a RedisSpoolEstate needs besides. */
export interface RedisSpoolEstateOptions extends RedisSpoolOptions {
  /** Whether a process, by its `self`, will never write again. */
  readonly hasEnded: (process: string) => Promise<boolean>;
  /** For how long a node that has ended may come back to its spool before others take it. */
  readonly graceMs: number;
}

/**
 * The spools in Redis whose nodes have ended.
 *
 * @remarks Who has a spool is written in one key, next to its logs, and every write compares it. To inherit is to replace the
 * name of a process that has ended, so exactly one node can. A list of all spools says where to look.
 */
export class RedisSpoolEstate implements SpoolEstate {
  readonly #options: RedisSpoolEstateOptions;
  readonly #link: RedisLink;
  readonly #list: string;
  readonly #held = new Set<string>();
  /** Since when a process is known to have ended. */
  readonly #endedSinceMs = new Map<string, number>();

  /** Writes the spool of this node into the list. @throws SpoolError when Redis is away or refuses. */
  static async open(options: RedisSpoolEstateOptions): Promise<RedisSpoolEstate> {
    const list = spoolsKey(options.keyPrefix);
    const estate = new RedisSpoolEstate(options, await openLink(options, list), list);
    try {
      await estate.#note(options.nodeId, options.self);
    } catch (error) {
      await estate.close();
      throw error;
    }
    return estate;
  }

  private constructor(options: RedisSpoolEstateOptions, link: RedisLink, list: string) {
    this.#options = options;
    this.#link = link;
    this.#list = list;
  }

  async inherit(): Promise<readonly InheritedSpool[]> {
    const { nodeId: ownId, self } = this.#options;
    // Somebody who inherited an earlier spool of this node may just have struck it off.
    await this.#note(ownId, self);
    const spools = await this.#call((client) => client.hgetall(this.#list));
    const inherited: InheritedSpool[] = [];
    for (const [nodeId, owner] of Object.entries(spools)) {
      if (nodeId === ownId || this.#held.has(nodeId)) continue;
      if (owner !== self && !(await this.#isDue(owner))) continue;
      const spool = await this.#take(nodeId, owner);
      if (spool !== undefined) inherited.push(spool);
    }
    return inherited;
  }

  /** Spools that were inherited are closed before. */
  close(): Promise<void> {
    return this.#link.close();
  }

  async #isDue(owner: string): Promise<boolean> {
    if (!(await this.#options.hasEnded(owner))) {
      this.#endedSinceMs.delete(owner);
      return false;
    }
    const nowMs = performance.now();
    const sinceMs = this.#endedSinceMs.get(owner) ?? nowMs;
    this.#endedSinceMs.set(owner, sinceMs);
    return nowMs - sinceMs >= this.#options.graceMs;
  }

  async #take(nodeId: string, listed: string): Promise<InheritedSpool | undefined> {
    const { self } = this.#options;
    const blocks = await openBlocks(this.#options, nodeId);
    try {
      if (await this.#claim(nodeId, listed, blocks)) {
        const spool = await openOver(blocks, this.#options);
        this.#held.add(nodeId);
        return {
          nodeId,
          spool,
          isHeld: async () => (await blocks.owner()) === self,
          close: () => this.#leave(nodeId, spool, blocks),
        };
      }
    } catch (error) {
      await blocks.close();
      throw error;
    }
    await blocks.close();
    return undefined;
  }

  async #claim(nodeId: string, listed: string, blocks: RedisBlocks): Promise<boolean> {
    const { self } = this.#options;
    const owner = await blocks.owner();
    // What is listed may be older than what is so; the next look judges by that.
    if (owner === undefined) await this.#strike(nodeId);
    else if (owner !== listed) await this.#note(nodeId, owner);
    if (owner !== listed) return false;
    if (owner !== self && !(await blocks.inherit(owner))) return false;
    this.#endedSinceMs.delete(listed);
    await this.#note(nodeId, self);
    return true;
  }

  async #leave(nodeId: string, spool: Spool, blocks: RedisBlocks): Promise<void> {
    if (!this.#held.delete(nodeId)) return;
    try {
      if (spool.rules().length === 0 && (await blocks.leave())) await this.#strike(nodeId);
    } finally {
      await spool.close();
    }
  }

  async #note(nodeId: string, owner: string): Promise<void> {
    await this.#call((client) => client.hset(this.#list, nodeId, owner));
  }

  async #strike(nodeId: string): Promise<void> {
    await this.#call((client) => client.hdel(this.#list, nodeId));
  }

  async #call<T>(send: (client: RedisLink['client']) => Promise<T>): Promise<T> {
    try {
      return await this.#link.call(send);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SpoolError('FAILED', `the list of spools in Redis: ${reason}`, { cause });
    }
  }
}
