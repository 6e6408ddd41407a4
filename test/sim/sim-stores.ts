import type {
  Message,
  NodeRef,
  QueuedMessage,
  QueuePosition,
  RetainedPage,
  RetainedQuery,
  RetainedStore,
  SessionOperation,
  SessionRecord,
  SessionStore,
  SessionWriteOutcome,
  TakeRequest,
  TakeResult,
} from '#libs/broker-ports';
import { nodeKey } from '#libs/cluster';
import type { RedisLink } from './redis-link.ts';
import type { SimProcess } from './sim-process.ts';
import type { SimRedis } from './sim-redis.ts';
import { nameOf } from './sim-payload.ts';

/** What a store of a node is made of. */
export interface SimStoreParts {
  readonly process: SimProcess;
  readonly link: RedisLink;
  readonly redis: SimRedis;
}

/** The sessions as a node reaches them: over its link. */
export class SimSessionStore implements SessionStore {
  readonly #parts: SimStoreParts;

  constructor(parts: SimStoreParts) {
    this.#parts = parts;
  }

  async take(request: TakeRequest): Promise<TakeResult> {
    const { link, redis, process } = this.#parts;
    return await link.call(async () => {
      const result = await redis.take(request);
      process.world.tell('redis', () => {
        const how = result.kind === 'taken' ? ` epoch ${String(result.record.epoch)}` : '';
        return `take ${request.clientId} for ${nodeKey(request.node)}: ${result.kind}${how}`;
      });
      return result;
    });
  }

  /** One pipeline: others may come between its commands, and it may arrive in part. */
  async write(operations: readonly SessionOperation[]): Promise<readonly SessionWriteOutcome[]> {
    const { world } = this.#parts.process;
    if (operations.length < 2 || world.chance(0.7)) return await this.#write(operations);
    const cut = 1 + world.below(operations.length - 1);
    const parts = [operations.slice(0, cut), operations.slice(cut)];
    const outcomes = await Promise.all(parts.map((part) => this.#write(part)));
    return outcomes.flat();
  }

  read(
    clientId: string,
    after: QueuePosition | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.sessions.read(clientId, after, limit));
  }

  load(clientId: string): Promise<SessionRecord | undefined> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.sessions.load(clientId));
  }

  owners(): Promise<readonly NodeRef[]> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.owners());
  }

  ownedBy(owner: NodeRef): Promise<readonly string[]> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.ownedBy(owner));
  }

  disown(owner: NodeRef, clientIds: readonly string[]): Promise<void> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.disown(owner, clientIds));
  }

  abandon(owner: NodeRef): Promise<void> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.abandon(owner));
  }

  async close(): Promise<void> {
    await this.#parts.link.call(() => undefined);
  }

  async #write(operations: readonly SessionOperation[]): Promise<readonly SessionWriteOutcome[]> {
    const { link, redis, process } = this.#parts;
    const outcomes = await link.call(async () => {
      const carriedOut = await redis.write(operations);
      if (process.world.isTraced) this.#tell(operations, carriedOut);
      return carriedOut;
    });
    // RedisSessionStore looks twice at what is refused.
    if (outcomes.includes('fenced')) await link.call(() => undefined);
    return outcomes;
  }

  #tell(operations: readonly SessionOperation[], outcomes: readonly SessionWriteOutcome[]): void {
    const { world, name } = this.#parts.process;
    for (const [index, operation] of operations.entries()) {
      const { kind, clientId, epoch } = operation;
      const what = describe(operation);
      const outcome = String(outcomes[index]);
      world.tell(
        'redis',
        () => `${kind} ${clientId} ${what}epoch ${String(epoch)} of ${name}: ${outcome}`,
      );
    }
  }
}

function describe(operation: SessionOperation): string {
  switch (operation.kind) {
    case 'append': {
      const { message, position } = operation.queued;
      return `${nameOf(message.payload)} at ${String(position.sequence)} `;
    }
    case 'settle':
      return `${operation.positions.map(({ sequence }) => sequence).join(',')} `;
    case 'release':
      return `${String(operation.position.sequence)} `;
    case 'begin':
    case 'receive':
    case 'forget':
    case 'complete':
      return `id ${String(operation.packetId)} `;
    case 'subscribe':
    case 'unsubscribe':
    case 'disconnect':
    case 'expiry':
    case 'forget-will':
    case 'claim-will':
    case 'discard':
      return '';
  }
}

/** The retained messages as a node reaches them. */
export class SimRetainedStore implements RetainedStore {
  readonly #parts: SimStoreParts;

  constructor(parts: SimStoreParts) {
    this.#parts = parts;
  }

  store(messages: readonly Message[]): Promise<void> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.retained.store(messages));
  }

  async *match(filter: string): AsyncIterable<readonly Message[]> {
    const { link, redis } = this.#parts;
    const pieces = redis.retained.match(filter)[Symbol.asyncIterator]();
    for (;;) {
      const piece = await link.call(() => pieces.next());
      if (piece.done === true) return;
      yield piece.value;
    }
  }

  dollarLevels(): Promise<readonly string[]> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.retained.dollarLevels());
  }

  list(query: RetainedQuery): Promise<RetainedPage> {
    const { link, redis } = this.#parts;
    return link.call(() => redis.retained.list(query));
  }

  topics(filter: string, limit: number): readonly string[] {
    return this.#parts.redis.retained.topics(filter, limit);
  }

  size(): { readonly messages: number; readonly bytes: number } {
    return this.#parts.redis.retained.size();
  }

  bytesOf(topic: string): number | undefined {
    return this.#parts.redis.retained.bytesOf(topic);
  }

  async close(): Promise<void> {
    await this.#parts.link.call(() => undefined);
  }
}
