import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { LongOperation } from '#libs/api-contracts';
import { until } from '#libs/testkit';
import { DEADLINE_MS, KEY, configOf, open, operate } from '../../../../test/api/api-harness.ts';
import { FakeNode } from '../../../../test/api/fake-node.ts';
import type { ApiProcess } from '../api-process.ts';

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  // The other one never answers.
  node = new FakeNode('n1', config, ['n1', 'frozen']);
  await node.server.open();
  api = await open(config);
});

afterEach(() => {
  node.mute = new Set();
  node.insight.logLines = [];
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

interface Bundle {
  readonly nodes: readonly (Readonly<Record<string, unknown>> & {
    readonly node: string;
    readonly missing: readonly { readonly part: string; readonly problem: string }[];
    readonly left_out: readonly string[];
  })[];
}

async function gathered(json: object): Promise<LongOperation & { readonly result: Bundle }> {
  const { status, body, headers } = await operate(api, 'gatherDiagnostics', { json });
  expect(status).toBe(202);
  const path = headers.get('location') ?? '';
  let operation = body as LongOperation;
  await until(async () => {
    operation = (await operate(api, 'getOperation', { path })).body as LongOperation;
    return operation.ended_at !== null;
  }, DEADLINE_MS);
  return operation as LongOperation & { readonly result: Bundle };
}

it('gathers what nodes and the API say of themselves, and says what a silent node lacks', async () => {
  node.insight.logLines = ['a line'];
  node.mute = new Set(['alarms']);
  const { state, result, progress, result_scope: scope } = await gathered({});
  expect([state, scope, progress]).toEqual([
    ...['succeeded', 'diagnostics:execute', { done: 2, total: 2 }],
  ]);
  const [second, first] = result.nodes;
  expect(first).toMatchObject({
    ...{ node: 'n1', state: 'alive', left_out: [] },
    features: { version: '1', commit: 'c' },
    figures: { resident_bytes: 1 },
    diagnosis: { process: { node_version: 'v24' }, log: { lines: ['a line'], gone: 0 } },
    missing: [{ part: 'alarms', problem: 'node-unavailable' }],
  });
  expect(second).toMatchObject({ node: 'frozen' });
  expect(second?.missing).toHaveLength(11);
  expect(second).not.toHaveProperty('figures');
  expect(result).toMatchObject({ api: { node_version: process.version } });
  // The key of the API is a setting, too.
  expect(JSON.stringify(result)).toContain('"key":"api.key"');
  expect(JSON.stringify(result)).not.toContain(KEY);
  expect(result).not.toHaveProperty('heap_snapshots');
});

it('does without what is large rather than fail', async () => {
  node.insight.logLines = ['x'.repeat(13 * 1024 * 1024)];
  const { state, result } = await gathered({ nodes: ['n1', 'gone'] });
  expect(state).toBe('succeeded');
  expect(result).toMatchObject({
    absent_nodes: ['gone'],
    nodes: [{ left_out: ['metrics', 'history', 'diagnosis'] }],
  });
});

it('has heap snapshots written where they are asked for', async () => {
  const { result } = await gathered({ nodes: ['n1'], heap_snapshot: true });
  expect(result).toMatchObject({
    heap_snapshots: [{ node: 'n1', kind: 'refused', reason: 'too large' }],
  });
});

it('fails where none of the nodes is there, and refuses what is none', async () => {
  const { state, problem } = await gathered({ nodes: ['gone'] });
  expect([state, problem]).toMatchObject(['failed', { code: 'not-found' }]);
  for (const json of [{ nodes: [] }, { nodes: [''] }, { heap_snapshot: 1 }, { more: 1 }]) {
    expect((await operate(api, 'gatherDiagnostics', { json })).status).toBe(400);
  }
});
