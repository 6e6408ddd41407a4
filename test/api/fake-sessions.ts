import { pageOf } from './fake-messages.ts';
import {
  clientValue,
  meets,
  type CommandOf,
  type NodeAnswers,
  type SessionCommand,
  type WireClient,
  type WireClientQuery,
  type WirePage,
  type WireSubscription,
  type WireSubscriptionQuery,
  type WireUnownedSession,
  type WireUnownedSubscription,
} from '#libs/api-contracts';

type Handlers = {
  readonly [K in SessionCommand['kind']]: (command: CommandOf<K>) => NodeAnswers[K];
};

/** What a fake node says about its clients: each is subscribed to `a/#` and `b`. */
export class FakeSessions {
  readonly clients = new Map<string, WireClient>();
  unowned: readonly WireUnownedSession[] = [];
  unownedSubscriptions: readonly WireUnownedSubscription[] = [];
  /** What a SUBACK would say of each filter; granted QoS 1 unless it is here. */
  readonly refusals = new Map<string, number>();
  readonly #handlers: Handlers;

  constructor() {
    const has = (clientId: string): boolean => this.clients.has(clientId);
    const message = { topic: 't', payloadBytes: 2, receivedAtMs: 5, expiresAtMs: 0 };
    const properties = { contentType: 'text/plain' };
    const texts = (wanted: boolean) =>
      wanted ? { payload: 'aMOp', properties } : { properties: {} };
    this.#handlers = {
      clients: ({ query }) => this.#list(query),
      client: ({ clientId }) => ({ client: this.clients.get(clientId) }),
      'unowned-sessions': (command) => this.#listUnowned(command),
      'unowned-session': ({ clientId }) => ({
        unowned: this.unowned.find(({ session }) => session.clientId === clientId),
      }),
      'unowned-subscriptions': (command) => this.#listUnownedSubscriptions(command),
      disconnect: ({ clientId }) => ({ found: this.clients.delete(clientId) }),
      'disconnect-many': (command) => this.#disconnectMany(command),
      subscriptions: ({ query }) => this.#subscriptions(query),
      'subscribe-client': ({ clientId, requests }) => ({
        reasonCodes: has(clientId)
          ? requests.map(({ filter, qos }) => this.refusals.get(filter) ?? qos)
          : undefined,
      }),
      'unsubscribe-client': ({ clientId, filters }) => ({
        reasonCodes: has(clientId) ? filters.map((f) => (f === 'b' ? 0 : 0x11)) : undefined,
      }),
      queued: ({ clientId, after, limit, payload }) => {
        if (!has(clientId)) return {};
        const all = [1, 2, 3].map((sequence) => ({
          ...{ ...message, ...texts(payload), position: { epoch: 1, sequence } },
          ...{ qos: 1 as const, retain: false, isInflight: sequence === 1 },
        }));
        const rest = all.filter(({ position }) => position.sequence > (after?.sequence ?? 0));
        return { page: pageOf(rest, limit) };
      },
      'clear-queue': ({ clientId }) => ({ removed: has(clientId) ? 3 : undefined }),
      inflight: ({ clientId, payload }) => ({
        items: has(clientId)
          ? [
              { packetId: 9, awaits: 'pubcomp', qos: 2 },
              { packetId: 7, awaits: 'puback', qos: 1, message: { ...message, ...texts(payload) } },
            ]
          : undefined,
      }),
      verdicts: ({ clientId }) => ({
        items: has(clientId)
          ? (['y', 'x'] as const).map((topic) => ({
              ...{ action: 'publish', topic, qos: 0, retain: false, isAllowed: topic === 'x' },
            }))
          : undefined,
      }),
      'forget-verdicts': ({ clientId }) => ({ found: has(clientId) }),
      'check-access': ({ clientId, requests }) => ({
        verdicts: has(clientId)
          ? requests.map(({ kind }) => ({ allowed: kind === 'publish' }))
          : undefined,
      }),
      'set-expiry': ({ clientId, seconds }) => {
        const client = this.clients.get(clientId);
        if (client === undefined) return { outcome: 'absent' };
        if (!client.isDurable) return { outcome: 'transient' };
        this.clients.set(clientId, { ...client, sessionExpirySeconds: seconds });
        return { outcome: 'done' };
      },
    };
  }

  answer(command: SessionCommand): NodeAnswers[SessionCommand['kind']] {
    const handler = this.#handlers[command.kind] as (
      command: SessionCommand,
    ) => NodeAnswers[SessionCommand['kind']];
    return handler(command);
  }

  #disconnectMany({
    clientIds,
    dryRun,
  }: CommandOf<'disconnect-many'>): NodeAnswers['disconnect-many'] {
    const states = clientIds.map((id) => {
      const state = this.clients.get(id)?.state ?? 'absent';
      if (!dryRun) this.clients.delete(id);
      return state;
    });
    return { states };
  }

  #listUnowned({ query, node }: CommandOf<'unowned-sessions'>): WirePage<WireUnownedSession> {
    const { after, limit, descending } = query;
    const isLater = ({ session }: WireUnownedSession): boolean =>
      after === undefined || session.clientId > after.clientId !== descending;
    const rest = this.unowned.filter(
      (each) => each.session.clientId !== after?.clientId && (node ?? each.nodeId) === each.nodeId,
    );
    return pageOf(rest.filter(isLater), limit);
  }

  #listUnownedSubscriptions({
    query: { after, limit },
    node,
  }: CommandOf<'unowned-subscriptions'>): WirePage<WireUnownedSubscription> {
    const items = this.unownedSubscriptions.filter(
      ({ nodeId, subscription: { clientId, filter } }) =>
        (node ?? nodeId) === nodeId &&
        (after === undefined ||
          clientId > after.clientId ||
          (clientId === after.clientId && filter > after.filter)),
    );
    return pageOf(items, limit);
  }

  #list({ after, limit, where, descending }: WireClientQuery): WirePage<WireClient> {
    const sign = descending ? -1 : 1;
    const wanted = [...this.clients.values()]
      .filter((client) => meets(where, (field) => clientValue(client, field)))
      .filter(({ clientId }) => after === undefined || sign * order(clientId, after.clientId) > 0)
      .toSorted((a, b) => sign * order(a.clientId, b.clientId));
    return pageOf(wanted, limit);
  }

  #subscriptions(query: WireSubscriptionQuery): WirePage<WireSubscription> {
    const { after, limit, clientId, qos } = query;
    const all = [...this.clients.keys()].flatMap((id) =>
      ['a/#', 'b'].map((filter) => ({
        clientId: id,
        filter,
        qos: 1 as const,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0 as const,
        subscriptionIdentifier: 0,
      })),
    );
    const rest = all.filter(
      (each) =>
        (clientId ?? each.clientId) === each.clientId &&
        (qos ?? each.qos) === each.qos &&
        (after === undefined ||
          each.clientId > after.clientId ||
          (each.clientId === after.clientId && each.filter > after.filter)),
    );
    return pageOf(rest, limit);
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
