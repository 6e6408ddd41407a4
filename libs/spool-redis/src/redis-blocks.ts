import { SpoolError, type SpoolMarks } from '#libs/broker-ports';
import { readLuaScript, type LuaScript, type RedisLink } from '#libs/redis-client';
import {
  UnansweredError,
  type SpoolBlock,
  type SpoolChange,
  type SpoolChanged,
  type SpoolStore,
  type StoredLog,
} from '#libs/spool';
import type { SpoolKeys } from './keys.ts';

const COMMANDS = new URL('./commands/', import.meta.url);
const WRITE = readLuaScript(COMMANDS, ['write-spool']);
const REMOVE = readLuaScript(COMMANDS, ['remove-log']);
const INHERIT = readLuaScript(COMMANDS, ['inherit-spool']);
const LEAVE = readLuaScript(COMMANDS, ['leave-spool']);

/** The commands of this lib. @internal */
export const SCRIPTS: ReadonlySet<LuaScript> = new Set([WRITE, REMOVE, INHERIT, LEAVE]);

/** How many blocks are asked for at a time. */
const READ_BLOCKS = 16;

type Call = Parameters<RedisLink['call']>[0];

/** The blocks of a node's spool in Redis streams. Nothing is sent twice: a group without an answer has failed. */
export class RedisBlocks implements SpoolStore {
  readonly #link: RedisLink;
  readonly #keys: SpoolKeys;
  /** Fences off whoever had the spool before and has not noticed its end. */
  readonly #self: string;

  constructor(link: RedisLink, keys: SpoolKeys, self: string) {
    this.#link = link;
    this.#keys = keys;
    this.#self = self;
  }

  /** Who writes; undefined when there is no such spool. */
  async owner(): Promise<string | undefined> {
    return (await this.#call((client) => client.get(this.#keys.owner))) ?? undefined;
  }

  /** Makes this process the one that writes, whoever did before. */
  async take(): Promise<void> {
    await this.#call((client) => client.set(this.#keys.owner, this.#self));
  }

  /** The same, if that was another one; false when it was not. */
  async inherit(from: string): Promise<boolean> {
    const { owner } = this.#keys;
    const [answer] = await this.#run(INHERIT, [owner], [from, this.#self]);
    return answer === 'inherited';
  }

  /** Removes the spool if nothing is left in it and nobody else has it. */
  async leave(): Promise<boolean> {
    const { owner, logs } = this.#keys;
    const [answer] = await this.#run(LEAVE, [owner, logs], [this.#self]);
    return answer === 'left';
  }

  async logs(): Promise<readonly StoredLog[]> {
    const { logs, marks: marksKey, log } = this.#keys;
    const [states, marks] = await this.#call((client) =>
      Promise.all([client.hgetall(logs), client.hgetall(marksKey)]),
    );
    const found = Object.entries(states).map(async ([rule, state]) => {
      const [first = 1, next = 1, end = 0] = state.split(' ').map(Number);
      const lowest = await this.#call((client) => client.xrange(log(rule), '-', '+', 'COUNT', 1));
      const base = baseOf(lowest[0]?.[0] ?? '', end);
      return { rule, first, next, end, base, marks: marksOf(marks[rule]) };
    });
    return Promise.all(found);
  }

  async write(changes: readonly SpoolChange[]): Promise<readonly SpoolChanged[]> {
    const { owner, logs, marks, log } = this.#keys;
    const keys = [owner, logs, marks, ...changes.map(({ rule }) => log(rule))];
    const reply = await this.#run(WRITE, keys, [this.#self, ...changes.flatMap(argsOf)]);
    if (reply[0] !== 'stored') throw fenced();
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
    const { owner, logs, marks, log } = this.#keys;
    const [answer] = await this.#run(REMOVE, [owner, logs, marks, log(rule)], [this.#self, rule]);
    if (answer !== 'removed') throw fenced();
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /** Runs a command; what it has changed is with enough replicas. */
  #run(
    { sha }: LuaScript,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<readonly string[]> {
    return this.#call(async (client, replicas) => {
      const [answer, isReplicated] = await Promise.all([
        client.evalsha(sha, keys.length, ...keys, ...args),
        replicas.reached(),
      ]);
      if (!isReplicated) throw new Error('too few replicas have what was written');
      return answer as string[];
    });
  }

  async #call<T>(
    send: (client: Parameters<Call>[0], replicas: Parameters<Call>[1]) => Promise<T>,
  ): Promise<T> {
    const wasUp = this.#link.isUp;
    try {
      return await this.#link.call(send);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      // Only an administrator empties the script cache of a running server; the next group finds it.
      if (reason.startsWith('NOSCRIPT')) this.#link.load(SCRIPTS);
      const code = reason.includes('OOM') ? 'FULL' : 'FAILED';
      const isRefused = cause instanceof Error && cause.name === 'ReplyError';
      const Failure = wasUp && !isRefused ? UnansweredError : SpoolError;
      throw new Failure(code, `the spool in Redis: ${reason}`, { cause });
    }
  }
}

function fenced(): SpoolError {
  return new SpoolError('FAILED', 'another process has the spool, or Redis has lost it');
}

function argsOf(change: SpoolChange): (string | number | Buffer)[] {
  const { rule, first, next, end, blocks, marks } = change;
  const added = blocks.flatMap(({ last, before, bytes }) => [
    `${String(last)}-${String(before)}`,
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  ]);
  return [rule, first, next, end, textOf(marks), blocks.length, ...added];
}

/** Nothing: they are as before. */
function textOf(marks: SpoolMarks | undefined): string {
  if (marks === undefined) return '';
  return `${String(marks.from)} ${Buffer.from(marks.bits).toString('base64')}`;
}

function marksOf(text: string | undefined): SpoolMarks | undefined {
  if (text === undefined) return undefined;
  const [from = '', bits = ''] = text.split(' ');
  return { from: Number(from), bits: Buffer.from(bits, 'base64') };
}

/** What the name of the lowest block says of where the log begins. */
function baseOf(id: string, end: number): number {
  return id === '' ? end : Number(id.split('-')[1]);
}
