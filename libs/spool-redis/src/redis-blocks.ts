import { SpoolError } from '#libs/broker-ports';
import { readLuaScript, type RedisLink } from '#libs/redis-client';
import type { SpoolBlock, SpoolChange, SpoolChanged, SpoolStore, StoredLog } from '#libs/spool';
import type { SpoolKeys } from './keys.ts';

/** The one command of this lib. @internal */
export const WRITE = readLuaScript(new URL('./commands/', import.meta.url), ['write-spool']);

/** How many blocks are asked for at a time. */
const READ_BLOCKS = 16;

type Call = Parameters<RedisLink['call']>[0];

/** The blocks of a node's spool in Redis streams. Nothing is sent twice: a group without an answer has failed. */
export class RedisBlocks implements SpoolStore {
  readonly #link: RedisLink;
  readonly #keys: SpoolKeys;
  /** Fences off a former process of the same node that has not noticed its end. */
  readonly #token: string;

  constructor(link: RedisLink, keys: SpoolKeys, token: string) {
    this.#link = link;
    this.#keys = keys;
    this.#token = token;
  }

  async logs(): Promise<readonly StoredLog[]> {
    const { owner, logs, log } = this.#keys;
    await this.#call((client) => client.set(owner, this.#token));
    const states = await this.#call((client) => client.hgetall(logs));
    const found = Object.entries(states).map(async ([rule, state]) => {
      const [first = 1, next = 1, end = 0] = state.split(' ').map(Number);
      const lowest = await this.#call((client) => client.xrange(log(rule), '-', '+', 'COUNT', 1));
      return { rule, first, next, end, base: baseOf(lowest[0]?.[0] ?? '', end) };
    });
    return Promise.all(found);
  }

  async write(changes: readonly SpoolChange[]): Promise<readonly SpoolChanged[]> {
    const { owner, logs, log } = this.#keys;
    const keys = [owner, logs, ...changes.map(({ rule }) => log(rule))];
    const args = [this.#token, ...changes.flatMap(argsOf)];
    const reply = await this.#call(async (client, replicas) => {
      const [answer, isReplicated] = await Promise.all([
        client.evalsha(WRITE.sha, keys.length, ...keys, ...args),
        replicas.reached(),
      ]);
      if (!isReplicated) throw new Error('too few replicas have what was written');
      return answer as string[];
    });
    if (reply[0] !== 'stored') {
      throw new SpoolError('FAILED', 'another process has the spool, or Redis has lost it');
    }
    return changes.map(({ end }, index) => ({
      base: baseOf(reply[index + 1] ?? '', end),
      isTidy: true,
    }));
  }

  async read(rule: string, from: number, bytesMax: number): Promise<readonly SpoolBlock[]> {
    const blocks: SpoolBlock[] = [];
    let bytes = 0;
    for (let start = from; bytes < bytesMax; start = (blocks.at(-1)?.last ?? 0) + 1) {
      const found = await this.#call((client) =>
        client.xrangeBuffer(this.#keys.log(rule), start, '+', 'COUNT', READ_BLOCKS),
      );
      for (const [id, [, value]] of found) {
        if (bytes >= bytesMax || value === undefined) break;
        const [last = 0, before = 0] = id.toString().split('-').map(Number);
        blocks.push({ last, before, bytes: value });
        bytes += value.length;
      }
      if (found.length < READ_BLOCKS) break;
    }
    return blocks;
  }

  async remove(rule: string): Promise<void> {
    await this.#call((client) => client.unlink(this.#keys.log(rule)));
    await this.#call((client) => client.hdel(this.#keys.logs, rule));
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  async #call<T>(
    send: (client: Parameters<Call>[0], replicas: Parameters<Call>[1]) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#link.call(send);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      // Only an administrator empties the script cache of a running server; the next group finds it.
      if (reason.startsWith('NOSCRIPT')) this.#link.load([WRITE]);
      const code = reason.includes('OOM') ? 'FULL' : 'FAILED';
      throw new SpoolError(code, `the spool in Redis: ${reason}`, { cause });
    }
  }
}

function argsOf(change: SpoolChange): (string | number | Buffer)[] {
  const { rule, first, next, end, blocks } = change;
  const added = blocks.flatMap(({ last, before, bytes }) => [
    `${String(last)}-${String(before)}`,
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  ]);
  return [rule, first, next, end, blocks.length, ...added];
}

/** What the name of the lowest block says of where the log begins. */
function baseOf(id: string, end: number): number {
  return id === '' ? end : Number(id.split('-')[1]);
}
