import {
  StoreUnavailableError,
  decodeQueued,
  decodeWill,
  type FormerWill,
  type NodeRef,
  type QueuedMessage,
  type QueuePosition,
  type SessionOperation,
  type SessionRecord,
  type SessionStore,
  type SessionWriteOutcome,
  type TakeRequest,
  type TakeResult,
} from '#libs/broker-ports';
import { EXPIRY_SLACK_MS, nodeText, ownedKey, ownersKey, parseNode, sessionKeys } from './keys.ts';
import { readScript } from './lua-script.ts';
import type { RedisConnection, RedisStep } from './redis-connection.ts';
import { sessionCalls, type SessionCall } from './session-call.ts';
import {
  decodePosition,
  decodeSession,
  encodePosition,
  willText,
  type SessionView,
} from './session-view.ts';

const TAKE = readScript('session', 'take-session');
const LOAD = readScript('session', 'load-session');
const WRITE = readScript('session', 'write-session');

/** How Redis refuses an append under an epoch before the latest take. */
const FORMER_EPOCH = /equal or smaller/;

/** How many client ids one step of ownedBy() asks for, and one of disown() removes. */
const OWNED_PAGE = 1_000;

type TakeReply =
  | readonly ['taken', present: number, view: SessionView, formerWill: string, dueAtMs: string]
  | readonly ['owned', nodeId: string, incarnation: string, epoch: string, hasWill: number]
  | readonly ['foreign']
  | readonly ['absent'];

type LoadReply = readonly ['found', view: SessionView] | readonly ['absent'];

type WriteReply =
  | readonly ['done', ...repeats: number[]]
  | readonly ['fenced']
  | readonly ['discarded', nodeId: string, incarnation: string];

/**
 * Sessions in Redis, shared by the nodes of a cluster.
 *
 * @remarks keys.ts says which keys a session has. All writes of a session in one turn are one call of a script that
 * compares the epoch first, or a few plain commands that Redis refuses a former owner; a turn is one round trip. Epochs of a new session begin
 * with the time of the Redis server in microseconds. An append that is repeated with the same position and message,
 * because its first reply was lost, is `done`. The connection is the caller's and stays open after {@link close}.
 */
export class RedisSessionStore implements SessionStore {
  readonly #redis: RedisConnection;
  /** The latest take or discard under way of a client: an earlier one must not undo its membership in the owner's list. */
  readonly #latest = new Map<string, object>();

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    for (const script of [TAKE, LOAD, WRITE]) redis.use(script);
  }

  async take(request: TakeRequest): Promise<TakeResult> {
    const { clientId, node } = request;
    const { keyPrefix } = this.#redis;
    const token = this.#begin(clientId);
    try {
      const keys = sessionKeys(keyPrefix, clientId);
      // First the list, then the session: a crash between them leaves an id too many, never one too few.
      const replies = await this.#redis.inTurn('session_take', [
        [
          [ownersKey(keyPrefix), (to, key) => to.sadd(key, nodeText(node))],
          [ownedKey(keyPrefix, node), (to, key) => to.sadd(key, clientId)],
        ],
        [[keys[0], (to) => to.evalsha(TAKE.sha, keys.length, ...keys, ...takeArguments(request))]],
      ]);
      const [, added, reply] = replies as [unknown, number, TakeReply];
      const result = takeResult(clientId, reply);
      // One that was listed before may have been this node's until lately: its heir is to know of it.
      const isNews = added === 1 || result.kind === 'absent';
      if (isNews && !isHeldBy(result, node)) this.#leave(clientId, node, token);
      return result;
    } finally {
      this.#end(clientId, token);
    }
  }

  async write(operations: readonly SessionOperation[]): Promise<readonly SessionWriteOutcome[]> {
    if (operations.length === 0) return [];
    const calls = sessionCalls(operations);
    const tokens = calls.map((call) => (call.discards ? this.#begin(call.clientId) : undefined));
    const outcomes = operations.map((): SessionWriteOutcome => 'done');
    try {
      const steps = calls.map((call) => this.#plainSteps(call) ?? [this.#scriptStep(call)]);
      const replies = await this.#redis.attempt('session_write', steps.flat());
      throwIfAllFailed(replies);
      const refused: SessionCall[] = [];
      const stored: number[] = [];
      let next = 0;
      calls.forEach((call, at) => {
        const own = replies.slice(next, (next += steps[at]?.length ?? 0));
        const [first] = own;
        if (isWriteReply(first)) this.#settle(call, first, { outcomes, token: tokens[at] });
        else if (own.some(isFailure)) fail(call, outcomes);
        else if (own.some(isRefusal)) {
          refused.push(call);
          stored.push(...storedOf(call, own));
        }
      });
      if (refused.length === 0) return outcomes;
      // The script says why: the session is another node's, or gone.
      const again = await this.#redis.attempt(
        'session_write',
        refused.map((call) => this.#scriptStep(call)),
      );
      refused.forEach((call, at) => {
        const reply = again[at];
        if (isWriteReply(reply)) this.#settle(call, reply, { outcomes, token: undefined });
        else fail(call, outcomes);
      });
      // What came before a take is the next owner's to deliver: nobody is to send it there as well.
      for (const index of stored) outcomes[index] = 'done';
      return outcomes;
    } finally {
      calls.forEach((call, at) => this.#end(call.clientId, tokens[at]));
    }
  }

  async read(
    clientId: string,
    after: QueuePosition | undefined,
    limit: number,
  ): Promise<readonly QueuedMessage[]> {
    const [, queue] = sessionKeys(this.#redis.keyPrefix, clientId);
    const messages: QueuedMessage[] = [];
    let from = after === undefined ? '-' : `(${encodePosition(after)}`;
    // An empty answer says that nothing is left: what cannot be read does not hide what stands behind it.
    while (messages.length === 0) {
      const entries = await this.#redis.run('session_read', queue, (client) =>
        client.xrangeBuffer(queue, from, '+', 'COUNT', limit),
      );
      for (const [id, [, value]] of entries) {
        const position = decodePosition(id.toString());
        const queued = value && decodeQueued(value, position);
        // Written by a later version of the format: it stays in the queue for a node that knows it.
        if (queued) messages.push(queued);
        else this.#redis.log.error('queued-message-unreadable', { clientId, ...position });
      }
      const last = entries.at(-1);
      if (last === undefined || entries.length < limit) break;
      from = `(${last[0].toString()}`;
    }
    return messages;
  }

  async load(clientId: string): Promise<SessionRecord | undefined> {
    const keys = sessionKeys(this.#redis.keyPrefix, clientId);
    const reply = (await this.#redis.run('session_read', keys[0], (client) =>
      client.evalsha(LOAD.sha, keys.length, ...keys),
    )) as LoadReply;
    if (reply[0] === 'absent') return undefined;
    const record = decodeSession(clientId, reply[1]);
    const expired = record.expiresAtMs > 0 && record.expiresAtMs <= Date.now();
    return expired ? undefined : record;
  }

  async owners(): Promise<readonly NodeRef[]> {
    const key = ownersKey(this.#redis.keyPrefix);
    const members = await this.#redis.run('session_read', key, (client) => client.smembers(key));
    return members.map(parseNode);
  }

  async ownedBy(owner: NodeRef): Promise<readonly string[]> {
    const key = ownedKey(this.#redis.keyPrefix, owner);
    // A scan gives an id twice when the set is resized meanwhile.
    const clientIds = new Set<string>();
    let cursor = '0';
    do {
      const [next, page] = await this.#redis.run('session_read', key, (client) =>
        client.sscan(key, cursor, 'COUNT', OWNED_PAGE),
      );
      for (const clientId of page) clientIds.add(clientId);
      cursor = next;
    } while (cursor !== '0');
    return [...clientIds];
  }

  async disown(owner: NodeRef, clientIds: readonly string[]): Promise<void> {
    const key = ownedKey(this.#redis.keyPrefix, owner);
    const steps: RedisStep[] = [];
    for (let from = 0; from < clientIds.length; from += OWNED_PAGE) {
      const page = clientIds.slice(from, from + OWNED_PAGE);
      steps.push([key, (to) => to.srem(key, ...page)]);
    }
    await this.#redis.pipeline('session_write', steps);
  }

  async abandon(owner: NodeRef): Promise<void> {
    const { keyPrefix } = this.#redis;
    await this.#redis.inTurn('session_write', [
      [[ownedKey(keyPrefix, owner), (to, key) => to.unlink(key)]],
      [[ownersKey(keyPrefix), (to, key) => to.srem(key, nodeText(owner))]],
    ]);
  }

  async close(): Promise<void> {
    // Nothing is kept here: every write was answered by Redis before its promise was.
  }

  #scriptStep(call: SessionCall): RedisStep {
    const keys = sessionKeys(this.#redis.keyPrefix, call.clientId);
    return [keys[0], (to) => to.evalsha(WRITE.sha, keys.length, ...keys, ...call.encode())];
  }

  #plainSteps(call: SessionCall): RedisStep[] | undefined {
    const { plain } = call;
    if (plain === undefined) return undefined;
    const [, queue] = sessionKeys(this.#redis.keyPrefix, call.clientId);
    const steps = plain.appends.map(([id, value]): RedisStep => [
      queue,
      (to) => to.xadd(queue, 'NOMKSTREAM', id, '', value),
      FORMER_EPOCH,
    ]);
    if (plain.settled.length > 0) steps.push([queue, (to) => to.xdel(queue, ...plain.settled)]);
    return steps;
  }

  /** Turns the script's reply into the outcomes of a call's operations. */
  #settle(
    call: SessionCall,
    reply: WriteReply,
    own: { readonly outcomes: SessionWriteOutcome[]; readonly token: object | undefined },
  ): void {
    const [kind, ...rest] = reply;
    if (kind === 'fenced') for (const index of call.indexes) own.outcomes[index] = 'fenced';
    if (kind === 'discarded') {
      const [nodeId, incarnation] = rest as [string, string];
      this.#leave(call.clientId, { nodeId, incarnation: Number(incarnation) }, own.token);
    }
    if (kind !== 'done') return;
    for (const number of rest as number[]) {
      const index = call.appends[number - 1];
      if (index !== undefined) own.outcomes[index] = 'repeat';
    }
  }

  #begin(clientId: string): object {
    const token = {};
    this.#latest.set(clientId, token);
    return token;
  }

  #end(clientId: string, token: object | undefined): void {
    if (this.#latest.get(clientId) === token) this.#latest.delete(clientId);
  }

  /**
   * Takes a client off its owner's list, unless a later take is on its way. Not awaited: later commands of this
   * connection come behind it, and an id too many does no harm.
   */
  #leave(clientId: string, owner: NodeRef, token: object | undefined): void {
    if (token === undefined || this.#latest.get(clientId) !== token) return;
    const key = ownedKey(this.#redis.keyPrefix, owner);
    this.#redis
      .run('session_write', key, (client) => client.srem(key, clientId))
      .catch(() => undefined);
  }
}

/** Whether the script has answered, and not a plain command. */
function isWriteReply(reply: unknown): reply is WriteReply {
  return Array.isArray(reply);
}

/** Whether it is not known what has become of a step. */
function isFailure(reply: unknown): reply is StoreUnavailableError {
  return reply instanceof StoreUnavailableError;
}

/** The caller is told the cause when Redis as a whole is away. */
function throwIfAllFailed(replies: readonly unknown[]): void {
  const [first] = replies;
  if (isFailure(first) && replies.every(isFailure)) throw first;
}

function fail({ indexes }: SessionCall, outcomes: SessionWriteOutcome[]): void {
  for (const index of indexes) outcomes[index] = 'failed';
}

/** Whether a plain append was refused: neither an entry id nor a count came back. */
function isRefusal(reply: unknown): boolean {
  return reply === undefined || reply === null;
}

/** Which appends of a call were carried out as plain commands: these come first, in their order. */
function storedOf({ appends }: SessionCall, replies: readonly unknown[]): readonly number[] {
  return appends.filter((_, at) => !isRefusal(replies[at]));
}

/** Whether the session is the node's now; it also is if the node asked to replace an epoch of its own that has passed. */
function isHeldBy(result: TakeResult, node: NodeRef): boolean {
  if (result.kind !== 'owned') return result.kind === 'taken';
  return nodeText(result.owner) === nodeText(node);
}

function takeArguments(request: TakeRequest): (string | number)[] {
  const { node, nowMs, cleanStart, durable, expiryIntervalSeconds, connected, will, user } =
    request;
  return [
    node.nodeId,
    node.incarnation,
    nowMs,
    cleanStart ? 1 : 0,
    durable ? 1 : 0,
    expiryIntervalSeconds,
    connected ? 1 : 0,
    request.replacesEpoch ?? '',
    EXPIRY_SLACK_MS,
    will === undefined ? '' : willText(will),
    user === undefined ? '' : `=${user}`,
  ];
}

function takeResult(clientId: string, reply: TakeReply): TakeResult {
  switch (reply[0]) {
    case 'taken': {
      const [kind, present, view, will, dueAtMs] = reply;
      const record = decodeSession(clientId, view);
      return { kind, sessionPresent: present === 1, record, ...formerWill(will, dueAtMs) };
    }
    case 'owned': {
      const [kind, nodeId, incarnation, epoch, hasWill] = reply;
      return {
        kind,
        owner: { nodeId, incarnation: Number(incarnation) },
        epoch: Number(epoch),
        hasWill: hasWill === 1,
      };
    }
    case 'foreign':
    case 'absent':
      return { kind: reply[0] };
  }
}

/** A will that a later version wrote in another form is left to the nodes of that version, like all that they wrote. */
function formerWill(text: string, dueAtMs: string): { readonly formerWill?: FormerWill } {
  const will = text === '' ? undefined : decodeWill(Buffer.from(text, 'base64'));
  return will === undefined ? {} : { formerWill: { will, dueAtMs: Number(dueAtMs) } };
}
