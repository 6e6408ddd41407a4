import 'reflect-metadata';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  ACCEPTED,
  JSON_TYPE,
  OPERATIONS,
  type Operation,
  type OperationId,
  type WireBridge,
  type WireRule,
} from '#libs/api-contracts';
import { ApiMeter } from '#libs/metrics-prom';
import { silentLog } from '#libs/testkit';
import { TIMEOUT_MS, configOf } from '../../../test/api/api-harness.ts';
import { FakeNode, clientOf } from '../../../test/api/fake-node.ts';
import { idleWebhooks } from '../../../test/api/idle-webhooks.ts';
import { ApiModule } from './api.module.ts';
import { AuditLog } from './audit/audit-log.ts';
import { Cluster } from './cluster/cluster.ts';
import type { NodeClient } from './cluster/node-caller.ts';
import { Guard } from './guard/guard.ts';
import { installConventions } from './http/conventions.ts';
import { Idempotency } from './http/idempotency.ts';
import { Operations } from './operations/operations.ts';
import { Streams } from './streams/streams.ts';
import { ProblemFilter } from './http/problem-filter.ts';
import { openState } from './state/open-state.ts';

const ALL_BUT_NODES: FakeNode['mute'] = { has: (kind) => kind !== 'nodes' };

const NODE_VIEWS = new Set<OperationId>(['listNodes', 'getNode']);
/** Each item has its own result. */
const BULK = new Set<OperationId>(['publishMessages', 'disconnectClients']);
/** What the caller itself asks nodes to wait for something. */
const WAITS_MS: Partial<Record<OperationId, number>> = { requestMessage: 100 };

const RULE = {
  bridge: 'main',
  direction: 'mqtt-to-kafka',
  enabled: true,
  filter: 't/#',
  topic: 'k',
  key: '${clientId}',
  partition: 'key',
  headers: {},
  ack: 'kafka',
};

const BRIDGE = { kind: 'kafka', brokers: ['k:9092'] };

const STORED_BRIDGE = {
  connector: { id: 'b', kind: 'kafka', brokers: ['k:9092'], clientId: 's', compression: 'lz4' },
  ...{ source: 'api', revision: 1, state: 'unused' },
} as const satisfies WireBridge;

/** What the fake nodes know, in place of what the examples of the document name. */
const KNOWN: Readonly<Record<string, string>> = {
  node_id: 'n1',
  client_id: 'c1',
  bridge_id: 'b',
  rule_id: 'r',
};

/** Bodies where the example of the document would not do. */
const BODIES: Partial<Record<OperationId, object>> = {
  requestMessage: { topic: 't', timeout_seconds: 0.1 },
  replaceBridge: BRIDGE,
  replaceBridgeRule: RULE,
  patchBridgeRule: { enabled: false },
  replaceAclRule: { effect: 'allow', topics: ['a'] },
};

/** Groups of operations that ask nodes nothing, or only when they like. */
const OWN_TAGS = new Set(['Administrators', 'Operations', 'Webhooks', 'Backups', 'Traces']);

/** A node that is there is not forgotten, and settings are checked where the API is: nothing is asked. */
const REFUSED_AT_ONCE = new Set<OperationId>(['deleteNode', 'validateConfig']);

/** The request that the document shows. */
function exampleOf(id: OperationId) {
  const { path, example, body }: Operation = OPERATIONS[id];
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(KNOWN[name] ?? example.path?.[name] ?? ''),
  );
  const query = new URLSearchParams(example.query).toString();
  return {
    url: query === '' ? filled : `${filled}?${query}`,
    body: body === undefined ? undefined : (BODIES[id] ?? (example.body as object)),
  };
}

/** Reaches nodes of this process. Silence lasts as long as the question may take, on the fake clock. */
class LocalClient implements NodeClient {
  readonly nodes: readonly FakeNode[];
  /** Questions that nobody has answered yet. */
  open = 0;
  asked = 0;

  constructor(nodes: readonly FakeNode[]) {
    this.nodes = nodes;
  }

  async ask(...[nodeId, command, withinMs]: Parameters<NodeClient['ask']>) {
    const node = this.nodes.find(({ id }) => id === nodeId);
    if (node === undefined) return { kind: 'unreachable', sent: false } as const;
    this.open += 1;
    this.asked += 1;
    const silence = new Promise<{ kind: 'unreachable'; sent: true }>((resolve) => {
      setTimeout(resolve, withinMs, { kind: 'unreachable', sent: true });
    });
    const reply = node.handle(command).then((each) => ({ kind: 'reply', reply: each }) as const);
    const result = await Promise.race([reply, silence]);
    this.open -= 1;
    return result;
  }

  askAny(...[command, withinMs]: Parameters<NodeClient['askAny']>) {
    return this.ask('n1', command, withinMs);
  }
}

describe('while nodes fall silent in the middle of an operation', () => {
  let app: NestFastifyApplication;
  let client: LocalClient;
  let first: FakeNode;
  let second: FakeNode;

  beforeAll(async () => {
    const config = await configOf({});
    first = new FakeNode('n1', config, ['n1', 'n2']);
    second = new FakeNode('n2', config, ['n1', 'n2']);
    client = new LocalClient([first, second]);
    const meter = new ApiMeter();
    const cluster = new Cluster({ client, timeoutMs: TIMEOUT_MS, meter });
    const state = await openState(config, silentLog);
    const adapter = new FastifyAdapter();
    const guard = new Guard({ config, state, meter, log: silentLog, now: Date.now });
    const audit = new AuditLog({ config, state, meter, log: silentLog });
    const log = silentLog;
    const idempotency = new Idempotency({ state, secret: () => guard.secret.value, log });
    installConventions(adapter.getInstance(), { guard, audit, idempotency, meter, log });
    const options = { bodyParser: false, logger: false } as const;
    const parts = { config, cluster, state, guard };
    const operations = new Operations({ parts: { ...parts, log }, kinds: [], meter });
    app = await NestFactory.create(
      ApiModule.with({
        ...{ ...parts, log, streams: new Streams(meter), audit, operations },
        webhooks: idleWebhooks({ cluster, state, meter }),
      }),
      adapter,
      options,
    );
    app.useGlobalFilters(new ProblemFilter(silentLog));
    await app.init();
  });

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    for (const each of client.nodes) {
      each.clients.set('c1', clientOf('c1'));
      each.bridges = [STORED_BRIDGE];
      each.rules.set('r', { rule: { ...RULE, id: 'r' } as WireRule, source: 'api', revision: 1 });
    }
  });

  afterEach(() => {
    for (const each of client.nodes) each.mute = new Set();
    jest.useRealTimers();
  });

  afterAll(() => app.close());

  /** Makes a request; `ms` is what it took of the time of its questions, which alone moves the clock. */
  async function operate(id: OperationId) {
    const { method, bodyType }: Operation = OPERATIONS[id];
    const { url, body } = exampleOf(id);
    const begun = performance.now();
    let over = false;
    const answering = app
      .inject({
        method: method.toUpperCase() as 'GET',
        url,
        headers: {
          ...{ host: '127.0.0.1', 'if-match': '"1"' },
          ...(body !== undefined && { 'content-type': bodyType ?? JSON_TYPE }),
        },
        ...(body !== undefined && { payload: body }),
      })
      .then((answer) => ({ status: answer.statusCode, body: answer.json<{ detail?: string }>() }))
      .finally(() => (over = true));
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve));
      if (client.open > 0) await jest.advanceTimersToNextTimerAsync();
    }
    return { ...(await answering), ms: performance.now() - begun };
  }

  const ids = (Object.keys(OPERATIONS) as OperationId[]).filter((id) => {
    const { scope, tag, replies }: Operation = OPERATIONS[id];
    const isStream = Object.values(replies).some(
      ({ contentType }) => contentType === 'text/event-stream',
    );
    // What is done after the reply asks nobody before.
    const isLater = Object.values(replies)[0]?.schema === ACCEPTED.schema;
    const isOwn = OWN_TAGS.has(tag) || isLater;
    return scope !== 'none' && !isOwn && !isStream && !REFUSED_AT_ONCE.has(id);
  });

  it.each(ids)('%s is answered in time', async (id) => {
    for (const each of client.nodes) each.mute = ALL_BUT_NODES;
    const { ms, status, body } = await operate(id);
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThanOrEqual(TIMEOUT_MS + (WAITS_MS[id] ?? 0));
    // Only what says of each node, or each item, whether there was an answer has something to say then.
    const says = NODE_VIEWS.has(id) || BULK.has(id);
    expect({ status, body }).toMatchObject({ status: says ? 200 : 503 });
  });

  it.each([
    ['replaceBridgeRule', 'rules', ['put-rule', 'remove-rule']],
    ['patchBridgeRule', 'rules', ['put-rule', 'remove-rule']],
    ['deleteBridgeRule', 'rules', ['put-rule', 'remove-rule']],
    ['replaceBridge', 'bridges', ['put-bridge', 'remove-bridge']],
    ['deleteBridge', 'bridges', ['put-bridge', 'remove-bridge']],
  ] as const)(
    '%s is answered in time also after a slow question',
    async (id, question, changes) => {
      let questions = 0;
      // Either is asked first when the other was heard last.
      for (const slow of [first, second, first]) {
        for (const each of client.nodes) each.mute = new Set(changes);
        slow.mute = new Set([question, ...changes]);
        client.asked = 0;
        const { ms, status, body } = await operate(id);
        questions = Math.max(questions, client.asked);
        expect(ms).toBe(TIMEOUT_MS);
        expect({ status, body }).toMatchObject({
          status: 503,
          body: { detail: expect.stringContaining('unknown') },
        });
      }
      // Who is there, what there is, the same again, the change.
      expect(questions).toBe(4);
    },
  );
});
