import { AddressRange } from '#libs/access';
import {
  clientValue,
  meets,
  type CommandOf,
  type Condition,
  type NodeAnswers,
  type SessionCommand,
  type WireClient,
  type WireClientPosition,
  type WireClientState,
  type WireClientQuery,
  type WireDelivery,
  type WireUnownedSession,
  type WireUnownedSubscription,
} from '#libs/api-contracts';
import { isWantedSubscription } from '#libs/broker-core';
import type {
  NodeAdmin,
  NodeRef,
  SessionRecord,
  SessionStore,
  ClientMessage,
} from '#libs/broker-ports';
import { base64, bounded, wirePropertiesOf } from './wire.ts';

/** What commands on sessions work on. */
export interface SessionCommandsOptions {
  readonly admin: NodeAdmin;
  /** Decides as for the client itself. */
  readonly checkAccess: (
    command: CommandOf<'check-access'>,
  ) => Promise<NodeAnswers['check-access']>;
  readonly store: Pick<SessionStore, 'owners' | 'ownedBy' | 'load'>;
}

type SessionAnswer = NodeAnswers[SessionCommand['kind']];
type Handlers = {
  readonly [K in SessionCommand['kind']]: (
    command: CommandOf<K>,
  ) => NodeAnswers[K] | Promise<NodeAnswers[K]>;
};

/** A page of messages ends after this many bytes of payload, and holds one message at least. */
const PAGE_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;
/** Sessions that are read from the store at once. */
const LOADED_AT_ONCE = 50;

/** Sessions that are ended at once. */
const ENDED_AT_ONCE = 100;

/** Clients, their sessions and subscriptions, as the API sees them. */
export class SessionCommands {
  readonly #options: SessionCommandsOptions;
  readonly #handlers: Handlers;

  constructor(options: SessionCommandsOptions) {
    this.#options = options;
    const { admin, checkAccess } = options;
    const { sessions } = admin;
    this.#handlers = {
      clients: ({ query }) => this.#clients(query),
      client: ({ clientId }) => ({ client: admin.client(clientId) }),
      'unowned-sessions': (command) => this.#unowned(command),
      'unowned-session': async ({ clientId }) => ({ unowned: await this.#findUnowned(clientId) }),
      disconnect: async ({ clientId, reasonCode, withWill, endSession }) => ({
        found: await sessions.disconnect(clientId, { reasonCode, withWill, endSession }),
      }),
      'disconnect-many': (command) => this.#disconnectMany(command),
      subscriptions: ({ query }) => admin.subscriptions(bounded(query)),
      'unowned-subscriptions': (command) => this.#unownedSubscriptions(command),
      'subscribe-client': async ({ clientId, requests }) => ({
        reasonCodes: await sessions.subscribe(clientId, requests),
      }),
      'unsubscribe-client': async ({ clientId, filters }) => ({
        reasonCodes: await sessions.unsubscribe(clientId, filters),
      }),
      queued: (command) => this.#queued(command),
      'clear-queue': async ({ clientId }) => ({ removed: await sessions.clearQueue(clientId) }),
      inflight: ({ clientId, payload }) => ({
        items: sessions.inflight(clientId)?.map(({ message, ...rest }) => ({
          ...rest,
          message: message && wireDeliveryOf(message, payload),
        })),
      }),
      verdicts: ({ clientId }) => ({ items: sessions.verdicts(clientId) }),
      'forget-verdicts': ({ clientId }) => ({ found: sessions.forgetVerdicts(clientId) }),
      'check-access': checkAccess,
      'set-expiry': async ({ clientId, seconds }) => ({
        outcome: await sessions.setExpiry(clientId, seconds),
      }),
    };
  }

  answer(command: SessionCommand): SessionAnswer | Promise<SessionAnswer> {
    // The table has a handler of this kind for each kind.
    const handler = this.#handlers[command.kind] as (command: SessionCommand) => SessionAnswer;
    return handler(command);
  }

  #clients(query: WireClientQuery): Promise<NodeAnswers['clients']> {
    const { after, limit, order, descending, where } = bounded(query);
    const clientId = where.find(
      ({ field, operator }) => field === 'client_id' && operator === 'eq',
    );
    const isWanted = wantedBy(where);
    return this.#options.admin.clients({
      ...{ after, limit, order, descending, isWanted },
      clientId: clientId && String(clientId.value),
    });
  }

  async #disconnectMany({
    clientIds,
    dryRun,
    ...how
  }: CommandOf<'disconnect-many'>): Promise<NodeAnswers['disconnect-many']> {
    const { admin } = this.#options;
    const states: WireClientState[] = [];
    for (let from = 0; from < clientIds.length; from += ENDED_AT_ONCE) {
      const some = clientIds.slice(from, from + ENDED_AT_ONCE).map(async (clientId) => {
        const state = admin.client(clientId)?.state ?? 'absent';
        const isThere = dryRun || (await admin.sessions.disconnect(clientId, how));
        // One that comes meanwhile is disconnected, too.
        return isThere && !dryRun && state === 'absent' ? 'connected' : isThere ? state : 'absent';
      });
      states.push(...(await Promise.all(some)));
    }
    return { states };
  }

  /** Sessions of nodes that have gone, as long as no other node has taken them over. They have no connection time: by that they come first. */
  async #unowned({
    query,
    node,
  }: CommandOf<'unowned-sessions'>): Promise<NodeAnswers['unowned-sessions']> {
    const { after, limit, order, descending, where } = bounded(query);
    const owners = await this.#formerOwners(node);
    const isLater = laterThan(after, { byTime: order === 'connected_at', descending });
    const ids = [...owners.keys()].filter(isLater).toSorted(byCodeUnit);
    if (descending) ids.reverse();
    const isWanted = wantedBy(where);
    const items: WireUnownedSession[] = [];
    for (let from = 0; from < ids.length && items.length <= limit; from += LOADED_AT_ONCE) {
      for (const record of await this.#load(ids.slice(from, from + LOADED_AT_ONCE), owners)) {
        const unowned = unownedOf(record);
        if (isWanted(unowned.session)) items.push(unowned);
      }
    }
    return { items: items.slice(0, limit), hasMore: items.length > limit };
  }

  /** Subscriptions of those sessions. */
  async #unownedSubscriptions({
    query,
    node,
  }: CommandOf<'unowned-subscriptions'>): Promise<NodeAnswers['unowned-subscriptions']> {
    const { after, limit, clientId } = bounded(query);
    const owners = await this.#formerOwners(node);
    const ids = [...owners.keys()]
      .filter((id) => (clientId ?? id) === id && id >= (after?.clientId ?? ''))
      .toSorted(byCodeUnit);
    const items: WireUnownedSubscription[] = [];
    for (let from = 0; from < ids.length && items.length <= limit; from += LOADED_AT_ONCE) {
      for (const record of await this.#load(ids.slice(from, from + LOADED_AT_ONCE), owners)) {
        const isFirst = after?.clientId === record.clientId;
        for (const each of record.subscriptions.toSorted((a, b) =>
          byCodeUnit(a.filter, b.filter),
        )) {
          if (isFirst && each.filter <= after.filter) continue;
          if (!isWantedSubscription(each, query)) continue;
          const subscription = { clientId: record.clientId, ...each };
          items.push({ nodeId: record.owner.nodeId, subscription });
        }
      }
    }
    return { items: items.slice(0, limit), hasMore: items.length > limit };
  }

  /** The sessions of nodes that have gone, or of one of these, with the node of each. */
  async #formerOwners(node: string | undefined): Promise<ReadonlyMap<string, NodeRef>> {
    const owners = new Map<string, NodeRef>();
    for (const owner of await this.#departed()) {
      if ((node ?? owner.nodeId) !== owner.nodeId) continue;
      for (const clientId of await this.#options.store.ownedBy(owner)) owners.set(clientId, owner);
    }
    return owners;
  }

  async #findUnowned(clientId: string): Promise<WireUnownedSession | undefined> {
    const departed = await this.#departed();
    const record = await this.#options.store.load(clientId);
    const owner = departed.find((each) => record !== undefined && isSame(each, record.owner));
    return record && owner && unownedOf(record);
  }

  /** Those of the sessions that still are of the node under which they are listed: after a take-over an id may be listed with the former owner, too. */
  async #load(
    clientIds: readonly string[],
    owners: ReadonlyMap<string, NodeRef>,
  ): Promise<readonly SessionRecord[]> {
    const records = await Promise.all(clientIds.map((id) => this.#options.store.load(id)));
    return records
      .filter((record) => record !== undefined)
      .filter(({ clientId, owner }) => isSame(owner, owners.get(clientId)));
  }

  async #departed(): Promise<readonly NodeRef[]> {
    const live = this.#options.admin.nodes();
    const owners = await this.#options.store.owners();
    return owners.filter((owner) => !live.some((node) => isSame(node, owner)));
  }

  async #queued(command: CommandOf<'queued'>): Promise<NodeAnswers['queued']> {
    const { clientId, after, payload } = command;
    const { limit } = bounded(command);
    const { sessions } = this.#options.admin;
    const found = await sessions.queued(clientId, { after, limit: limit + 1 });
    if (found === undefined) return {};
    let bytes = 0;
    let count = 0;
    for (const { message } of found.slice(0, limit)) {
      bytes += payload ? message.payload.byteLength : 0;
      if (count > 0 && bytes > PAGE_PAYLOAD_BYTES_MAX) break;
      count += 1;
    }
    const items = found.slice(0, count).map(({ message, ...rest }) => ({
      ...rest,
      ...wireDeliveryOf(message, payload),
    }));
    return { page: { items, hasMore: found.length > count } };
  }
}

/** Whether a client meets all conditions; an address is in a network. */
function wantedBy(where: readonly Condition[]): (client: WireClient) => boolean {
  const ranges = where.flatMap(({ field, value }) =>
    field === 'ip' ? [AddressRange.parse(String(value))] : [],
  );
  const others = where.filter(({ field }) => field !== 'ip');
  return (client) =>
    meets(others, (field) => clientValue(client, field)) &&
    ranges.every((range) => range?.has(client.remoteAddress ?? '') === true);
}

function laterThan(
  after: WireClientPosition | undefined,
  { byTime, descending }: { readonly byTime: boolean; readonly descending: boolean },
): (clientId: string) => boolean {
  if (after === undefined) return () => true;
  const { clientId: last, connectedAtMs = 0 } = after;
  if (byTime && connectedAtMs > 0) return () => descending;
  return (clientId) => (descending ? clientId < last : clientId > last);
}

function unownedOf(record: SessionRecord): WireUnownedSession {
  const { clientId, owner, user, expiresAtMs } = record;
  const session: WireClient = {
    clientId,
    ...(user !== undefined && user !== '' && { username: user }),
    state: 'disconnected',
    cleanStart: false,
    keepAliveSeconds: 0,
    createdAtMs: record.createdAtMs,
    ...(expiresAtMs > 0 && { expiresAtMs }),
    isDurable: record.durable,
    sessionExpirySeconds: record.expiryIntervalSeconds,
    subscriptionCount: record.subscriptions.length,
    queueMessages: record.queueMessages,
    queueBytes: record.queueBytes,
    inflightMessages: 0,
  };
  return { nodeId: owner.nodeId, session };
}

function wireDeliveryOf(message: ClientMessage['message'], withPayload: boolean): WireDelivery {
  const { topic, payload, publisher, receivedAtMs, expiresAtMs, properties } = message;
  return {
    ...{ topic, payloadBytes: payload.byteLength, publisher, receivedAtMs, expiresAtMs },
    ...(withPayload && { payload: base64(payload) }),
    properties: withPayload ? wirePropertiesOf(properties ?? {}) : {},
  };
}

function isSame(a: NodeRef, b: NodeRef | undefined): boolean {
  return a.nodeId === b?.nodeId && a.incarnation === b.incarnation;
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
