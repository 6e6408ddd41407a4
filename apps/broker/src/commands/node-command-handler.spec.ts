import { describe, expect, it } from '@jest/globals';
import { Tracing } from '#libs/broker-core';
import {
  type BridgeRule,
  type Connector,
  type NodeAdmin,
  type RuleStatus,
  type SessionAdmin,
  type DefinitionStore,
} from '#libs/broker-ports';
import type { AclDocument, Ban, FlappingDocument, StoredUser } from '#libs/access';
import type { NodeCommand, StatsTotal, WireFigures, WireRule } from '#libs/api-contracts';
import { loadConfig } from '#libs/config';
import { DEAD_LETTER_BOUNDS, RecordingLog } from '#libs/testkit';
import {
  LocalDeadLetterStore,
  LocalDefinitionStore,
  LocalDelayedStore,
  LocalRetainedStore,
  LocalSessionStore,
} from '#libs/store-local';
import { BridgeDefinitions } from '../bridge-definitions.ts';
import { FlappingRules } from '../flapping-rules.ts';
import { GeneralRules } from '../general-rules.ts';
import type { AccessCommandsOptions } from './access-commands.ts';
import type { BanCommandsOptions } from './ban-commands.ts';
import { EventLog } from '../streams/event-log.ts';
import { TopicMetrics } from '../insight/topic-metrics.ts';
import { NodeStreams } from '../streams/node-streams.ts';
import { NodeCommandHandler } from './node-command-handler.ts';
import { fakeAuth } from '../../../../test/api/fake-auth.ts';
import { fakeSchedules } from '../../../../test/api/fake-schedules.ts';

const info = {
  nodeId: 'n1',
  incarnation: 7,
  version: '1',
  startedAtMs: 1,
  state: 'alive',
} as const;

const rule = (id: string): WireRule & BridgeRule => ({
  id,
  bridge: 'main',
  direction: 'kafka-to-mqtt',
  enabled: true,
  topic: 't',
  mqttTopic: 'm',
  qos: 1,
  retain: false,
});

class FakeAdmin implements NodeAdmin {
  /** Served by commands of their own: session-commands.spec.ts. */
  readonly sessions = {} as SessionAdmin;
  limit = 0;

  status() {
    return {
      node: info,
      mode: 'embedded' as const,
      connections: 0,
      sessions: 0,
      subscriptions: 0,
      retainedMessages: 0,
      messagesReceived: 0,
      messagesSent: 0,
    };
  }

  connectionsByListener() {
    return new Map<string, number>();
  }

  nodes() {
    return [info];
  }

  async clients({ limit }: { readonly limit: number }) {
    this.limit = limit;
    return { items: [], hasMore: false };
  }

  client(): undefined {
    throw new TypeError('a bug with a secret');
  }

  async subscriptions() {
    return { items: [], hasMore: false };
  }

  publish(): never {
    throw new Error('not asked here');
  }

  tap(): never {
    throw new Error('not asked here');
  }

  topics(): never {
    throw new Error('not asked here');
  }

  sharedGroups(): never {
    throw new Error('not asked here');
  }

  sharedMembers(): never {
    throw new Error('not asked here');
  }

  countTopics(): never {
    throw new Error('not asked here');
  }

  request(): never {
    throw new Error('not asked here');
  }

  identify(): never {
    throw new Error('not asked here');
  }
}

const connector: Connector = {
  id: 'main',
  kind: 'kafka',
  brokers: ['k:9092'],
  clientId: 'skein',
  compression: 'none',
};

const runs: RuleStatus = { id: 'fixed', state: 'running', lastError: undefined };

const policy = loadConfig({ env: {} }).bridge;

/** A store with items of revision 3. */
function storeOf<Item extends { readonly id: string }>(
  ...items: readonly Item[]
): Pick<DefinitionStore<Item>, 'list' | 'put' | 'remove' | 'watch'> {
  const stored = items.map((item) => ({ item, source: 'api', revision: 3 }) as const);
  return {
    list: () => Promise.resolve(stored),
    put: (item) =>
      Promise.resolve({ kind: 'stored', stored: { item, source: 'api', revision: 4 } }),
    remove: () => Promise.resolve({ kind: 'absent' }),
    watch: () => {},
  };
}

const FLAPPING = {
  ...{ connectionsMax: 100, connectionsPerAddressMax: 0 },
  ...{ windowSeconds: 60, banSeconds: 300 },
};

/** Rules and users of nobody. */
function accessOptions(log: RecordingLog): AccessCommandsOptions {
  const store = new LocalDefinitionStore<AclDocument>('acl');
  return {
    node: {
      decide: () => ({ allowed: true, rule: undefined }),
      admin: { principalOf: () => undefined },
    },
    rules: new GeneralRules({ configured: [], fallback: 'deny', store, log }),
    accessOf: async () => undefined,
  };
}

function banOptions(): BanCommandsOptions {
  const settings = new LocalDefinitionStore<FlappingDocument>('settings');
  return {
    bans: undefined,
    storedBans: new LocalDefinitionStore<Ban>('bans'),
    flapping: new FlappingRules({ ...FLAPPING }, settings),
  };
}

const NO_STATS = {
  figures: {} as WireFigures,
  totals: {} as Readonly<Record<StatsTotal, number>>,
};

function setUp() {
  const admin = new FakeAdmin();
  const log = new RecordingLog();
  const clock = (): number => 0;
  const retained = new LocalRetainedStore({ clock });
  const rules = storeOf<BridgeRule>({ ...rule('made'), bridge: 'made' });
  const connectors = storeOf<Connector>(
    { ...connector, id: 'made' },
    { ...connector, id: 'spare' },
  );
  const config = { bridge: policy, bridges: [connector], bridgeRules: [rule('fixed')] };
  const handler = new NodeCommandHandler({
    admin,
    streams: new NodeStreams({
      ...{ events: new EventLog({ nowMs: clock, life: 1 }), admin },
      ...{ nodeId: 'n1', nowMs: clock, tracing: new Tracing() },
    }),
    alarms: { answer: () => ({ alarms: [] }) },
    diagnosis: { answer: () => Promise.resolve({ kind: 'refused', reason: 'x' }) },
    schedules: fakeSchedules(),
    stats: {
      current: () => ({ ...NO_STATS, startedAtMs: 1 }),
      history: () => ({ resolutionMs: 1, samples: [] }),
    },
    topics: {
      admin,
      metrics: new TopicMetrics({
        store: new LocalDefinitionStore('topic-metrics'),
        ...{ admin, nowMs: clock },
      }),
      strategy: 'local',
    },
    messages: {
      ...{ admin, retained, delayed: new LocalDelayedStore({ clock }) },
      ...{ delays: undefined, topicLevelsMax: 32 },
    },
    sessions: new LocalSessionStore({ clock: () => 0 }),
    access: accessOptions(log),
    system: { answer: () => ({ checks: [] }) },
    auth: fakeAuth(loadConfig({ env: {} }), [], { listeners: [] }),
    bans: banOptions(),
    drains: { answer: () => ({}) },
    settings: { answer: () => ({ levels: [] }) },
    listeners: { answer: () => Promise.resolve({ refusals: [] }) },
    users: { users: new LocalDefinitionStore<StoredUser>('users'), nowMs: () => 7 },
    deadLetters: {
      store: new LocalDeadLetterStore(DEAD_LETTER_BOUNDS, { clock: () => 7 }),
      bridge: { replay: () => 'idle' },
      log,
    },
    bridges: {
      definitions: new BridgeDefinitions({
        ...{ config, connectors, rules },
        order: new LocalDefinitionStore('settings'),
      }),
      connectors,
      rules,
      policy,
      bridge: {
        status: () => [runs],
        connectors: () => [{ id: 'main', state: 'connected', lastError: undefined }],
        test: ({ id: detail }) => Promise.resolve([{ step: 'dns', ok: true, ms: 1, detail }]),
        tryRule: (tried, sample) => {
          if (tried.id === 'bad') return { kind: 'invalid', detail: 'topic: is wrong' };
          if (sample.kind === 'record') {
            const { key, value, headers } = sample.record;
            const payload = Buffer.concat([key ?? Buffer.from('-'), value ?? Buffer.from('-')]);
            const properties = { userProperties: [['tags', String(headers['tag'])] as const] };
            return {
              kind: 'message',
              message: { topic: 't', payload, qos: 1, retain: false, properties },
            };
          }
          const { publisher, payload, source } = sample.message;
          const headers = {
            by: `${publisher}/${String(sample.username)}`,
            node: source.nodeId,
            twice: ['a', 'b'],
            bytes: Buffer.from([255]),
          };
          const record = { target: 't', route: undefined, partition: 3, key: payload };
          return { kind: 'record', record: { ...record, value: payload, headers } };
        },
        metrics: () => [],
        resetMetrics: () => undefined,
        restart: (id) => (id === 'main' ? 'restarting' : 'absent'),
        ruleFault: ({ id }) => (id === 'bad' ? 'topic: is wrong' : undefined),
      },
    },
    now: () => 5,
    log,
  });
  return { admin, log, handler };
}

it('lists bridges with how they fare', async () => {
  const { handler } = setUp();
  const one = (each: Connector, source: string, revision: number) => ({
    ...{ connector: each, source, revision, state: 'unused', lastError: undefined },
  });

  expect(await handler.handle({ kind: 'bridges' })).toEqual({
    kind: 'done',
    answer: {
      bridges: [
        { ...one(connector, 'config', 0), state: 'connected' },
        one({ ...connector, id: 'made' }, 'api', 3),
        one({ ...connector, id: 'spare' }, 'api', 3),
      ],
    },
  });
});

describe('rules', () => {
  it('lists those of the configuration and the stored ones', async () => {
    const { handler } = setUp();

    expect(await handler.handle({ kind: 'rules' })).toEqual({
      kind: 'done',
      answer: {
        orderRevision: 0,
        rules: [
          { rule: rule('fixed'), source: 'config', revision: 0 },
          { rule: { ...rule('made'), bridge: 'made' }, source: 'api', revision: 3 },
        ],
      },
    });
  });

  it('says how they fare as the bridge knows it', async () => {
    const { handler } = setUp();

    expect(await handler.handle({ kind: 'rule-states' })).toEqual({
      kind: 'done',
      answer: { states: [runs] },
    });
  });

  it.each([
    [{ kind: 'put-rule', rule: rule('fixed') }, { kind: 'read-only' }],
    [{ kind: 'remove-rule', id: 'fixed' }, { kind: 'read-only' }],
    [
      { kind: 'put-rule', rule: rule('bad') },
      { kind: 'invalid', detail: 'topic: is wrong' },
    ],
    [{ kind: 'remove-rule', id: 'none' }, { kind: 'absent' }],
    [{ kind: 'put-rule', rule: rule('new') }, { kind: 'stored' }],
  ] as [NodeCommand, object][])('answers %j', async (command, expected) => {
    const { handler } = setUp();

    expect(await handler.handle(command)).toMatchObject({ kind: 'done', answer: expected });
  });
});

describe('dry runs of rules', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const sent = { topic: 'a', payload: base64('hé'), qos: 1, retain: false } as const;
  const message = { ...sent, clientId: 'c', username: 'bob' };

  it.each(['fixed', 'made', rule('new')])('take a message for the rule %j', async (tried) => {
    const sample = { kind: 'message', message } as const;
    const reply = await setUp().handler.handle({ kind: 'try-rule', rule: tried, sample });
    expect(reply).toEqual({
      kind: 'done',
      answer: {
        kind: 'record',
        record: {
          target: 't',
          partition: 3,
          key: base64('hé'),
          value: base64('hé'),
          headers: [
            ['by', base64('c/bob')],
            ['node', base64('n1')],
            ['twice', base64('a')],
            ['twice', base64('b')],
            ['bytes', '/w=='],
          ],
        },
      },
    });
  });

  it('take a record, which may have no key', async () => {
    const headers = ['x', 'y'].map((tag) => ['tag', base64(tag)] as const);
    const record = { partition: 0, offset: '7', value: base64('v'), headers };
    const sample = { kind: 'record', record } as const;
    const reply = await setUp().handler.handle({ kind: 'try-rule', rule: 'made', sample });
    expect(reply).toMatchObject({
      answer: {
        kind: 'message',
        message: { payload: base64('-v'), properties: { userProperties: [['tags', 'x,y']] } },
      },
    });
  });

  it('say what is wrong with a rule, or that there is none', async () => {
    const sample = { kind: 'message', message } as const;
    const { handler } = setUp();
    expect(await handler.handle({ kind: 'try-rule', rule: 'none', sample })).toMatchObject({
      answer: { kind: 'absent' },
    });
    expect(await handler.handle({ kind: 'try-rule', rule: rule('bad'), sample })).toMatchObject({
      answer: { kind: 'invalid', detail: 'topic: is wrong' },
    });
  });
});
const steps = (detail: string) => ({ steps: [{ step: 'dns', ok: true, ms: 1, detail }] });
const outside = { ...connector, id: 'new', tls: { caFile: '/etc/passwd' } };

it.each([
  [{ id: 'main' }, steps('main')],
  [{ id: 'made' }, steps('made')],
  [{ id: 'none' }, {}],
  [{ connector: { ...connector, id: 'new' } }, steps('new')],
  [{ connector: outside }, { faults: [{ path: ['tls', 'caFile'] }] }],
])('tests the bridge %j', async (subject, answer) => {
  const reply = await setUp().handler.handle({ kind: 'test-bridge', ...subject, withinMs: 5 });
  expect(reply).toMatchObject({ kind: 'done', answer });
});

describe('a change of bridges', () => {
  const webhook = { kind: 'webhook', url: 'http://h' };

  it.each([
    [{ kind: 'put-bridge', connector }, { kind: 'read-only' }],
    [
      { kind: 'put-bridge', connector: { ...connector, id: 'new', clientId: undefined } },
      { kind: 'stored', stored: { connector: { clientId: 'skein' } } },
    ],
    [
      { kind: 'put-bridge', connector: outside },
      { kind: 'invalid', faults: [{ path: ['tls', 'caFile'] }] },
    ],
    [
      { kind: 'put-bridge', connector: { ...webhook, id: 'made' } },
      { kind: 'in-use', rules: ['made'] },
    ],
    [{ kind: 'put-bridge', connector: { ...webhook, id: 'spare' } }, { kind: 'stored' }],
    [{ kind: 'remove-bridge', id: 'main' }, { kind: 'read-only' }],
    [
      { kind: 'remove-bridge', id: 'made' },
      { kind: 'in-use', rules: ['made'] },
    ],
    [{ kind: 'remove-bridge', id: 'spare' }, { kind: 'absent' }],
  ] as [NodeCommand, object][])('answers %j', async (command, expected) => {
    const { handler } = setUp();
    expect(await handler.handle(command)).toMatchObject({ kind: 'done', answer: expected });
  });
});

it('bounds a page, whatever was asked', async () => {
  const { admin, handler } = setUp();

  await handler.handle({
    kind: 'clients',
    query: { limit: 1e9, order: 'client_id', descending: false, where: [] },
  });

  expect(admin.limit).toBe(1_000);
});

it('answers a bug with a reply that says nothing of it, and logs it', async () => {
  const { handler, log } = setUp();

  const origin = { requestId: 'r1', traceparent: '00-x' };
  const reply = await handler.handle({ kind: 'client', clientId: 'x', origin });

  expect(reply).toEqual({ kind: 'failed', code: 'internal' });
  for (const event of ['node-command', 'node-command-failed']) {
    expect(log.of(event)).toMatchObject([{ fields: { command: 'client', ...origin } }]);
  }
});

it('refuses a command that it does not know', async () => {
  const { handler } = setUp();

  expect(await handler.handle({ kind: 'later' } as never)).toEqual({
    kind: 'failed',
    code: 'unsupported',
  });
});

it('lets every node answer only who is there', () => {
  expect(NodeCommandHandler.answersAny({ kind: 'nodes' })).toBe(true);
  expect(NodeCommandHandler.answersAny({ kind: 'clear-retained', topic: 't' })).toBe(false);
});
