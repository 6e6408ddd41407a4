import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { LongOperation } from '#libs/api-contracts';
import { until } from '#libs/testkit';
import { MemoryTerminal } from '../../../test/cli/memory-terminal.ts';
import { runCli } from './cli.ts';

const WAIT_MS = 20_000;

type Answer = (reply: ServerResponse, request: IncomingMessage) => void;

const server = createServer((request, reply) => {
  asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
  const next = answers.length > 1 ? answers.shift() : answers[0];
  next?.(reply, request);
});
let answers: Answer[] = [];
let asked: string[] = [];
let terminal: MemoryTerminal;

beforeEach(async () => {
  asked = [];
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  terminal = new MemoryTerminal({
    SKEINCTL_SERVER: `http://127.0.0.1:${String(port)}`,
    // Profiles of whoever runs the tests are none of theirs.
    XDG_CONFIG_HOME: '/nowhere',
  });
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
});

const skein = (...argv: readonly string[]): Promise<number> =>
  runCli(argv, { terminal, version: '0' });

const operation = (more: Partial<LongOperation>): LongOperation => ({
  ...{ id: 'op-1', kind: 'session-purges', state: 'queued', actor: 'local', attempts: 1 },
  ...{ created_at: '2026-01-02T03:04:05.678Z', updated_at: '2026-01-02T03:04:05.678Z' },
  ...{ ended_at: null, progress: { done: 0, total: null }, cancel_requested: false },
  ...{ problem: null, result: null, result_scope: null },
  ...more,
});

const json =
  (body: unknown, status = 200): Answer =>
  (reply) =>
    void reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

/** Server-sent events; the stream stays open. */
const stream =
  (...events: readonly { readonly event: string; readonly data: unknown }[]): Answer =>
  (reply) => {
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const { event, data } of events) {
      reply.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    }
  };

it('waits for a long operation, tells its progress apart from its result, and prints that', async () => {
  answers = [
    json(operation({})),
    json(operation({ state: 'running', progress: { done: 3, total: 7 } })),
    json(operation({ state: 'succeeded', result: { ended: 7 } })),
  ];

  expect(await skein('operations', 'wait', 'op-1')).toBe(0);
  expect(terminal.notes).toBe('session-purges: queued\nsession-purges: running, 3 of 7\n');
  expect(terminal.out).toMatch(/^operation +op-1\nended +7\n$/);
});

it('ends with the code of the problem that a long operation has failed with', async () => {
  const code = 'node-unavailable' as const;
  const problem = { code, title: 'x', status: 503, detail: 'No node answers' };
  answers = [json(operation({ state: 'failed', problem }))];
  expect(await skein('operations', 'wait', 'op-1', '--json')).toBe(6);
  expect(terminal.notes).toContain('session-purges node-unavailable: No node answers');

  answers = [json(operation({ state: 'cancelled' }))];
  expect(await skein('operations', 'wait', 'op-1')).toBe(1);
  expect(terminal.notes).toContain('session-purges cancelled\nsee skein operations show op-1');
  expect(terminal.out).toBe('');
});

it('leaves a long operation alone when the user waits no longer', async () => {
  answers = [json(operation({ state: 'running' }))];
  const ended = skein('operations', 'wait', 'op-1');
  await until(() => terminal.notes.includes('running'), WAIT_MS);
  terminal.abort.abort();

  expect(await ended).toBe(0);
  expect(terminal.notes).toContain('it goes on: skein operations wait op-1');
  expect(asked.every((line) => line.startsWith('GET '))).toBe(true);
});

it('shows messages to people and programs, and beside them what is missing', async () => {
  const message = { node: 'n1', topic: 'a/b', qos: 1, payload: 'x\u001b[2J', payload_bytes: 5 };
  const { payload: _, ...bare } = message;
  const sent = [
    { event: 'message', data: message },
    { event: 'overflow', data: { node: 'n1', lost: 3 } },
    { event: 'partial', data: { unavailable_nodes: ['n2'] } },
    { event: 'message', data: bare },
  ];
  answers = [stream(...sent)];

  expect(await skein('sub', 'a/#', '--count', '2')).toBe(0);
  expect(terminal.out).toBe('a/b x\\u001b[2J\na/b  n1  qos=1  payload_bytes=5 B\n');
  expect(terminal.notes).toBe('incomplete: 3 lost at n1\nincomplete: no answer from n2\n');
  expect(asked).toEqual(['GET /api/v1/message-streams?filter=a%2F%23&payload=text']);
  terminal.out = '';
  expect(await skein('sub', 'a/#', '-n', '1', '--payload', 'none', '--json')).toBe(0);
  expect(JSON.parse(terminal.out)).toEqual(message);
});

it('follows events until it is stopped, and goes on when the stream breaks', async () => {
  const event = { type: 'client.connected', time: 't1', node: 'n1', client_id: 'c', qos: 1 };
  answers = [
    (reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.end(`retry: 1\nid: 7\nevent: client.connected\ndata: ${JSON.stringify(event)}\n\n`);
    },
    (reply, request) =>
      stream({ event: 'x', data: { ...event, time: request.headers['last-event-id'] } })(
        reply,
        request,
      ),
  ];
  const ended = skein('events', '--type', 'client.connected');
  await until(() => terminal.out.split('\n').length === 3, WAIT_MS);
  terminal.abort.abort();

  expect(await ended).toBe(0);
  expect(terminal.out).toBe(
    't1  client.connected  n1  c  qos=1\n7  client.connected  n1  c  qos=1\n',
  );
  expect(terminal.notes).toBe('the stream has ended; connecting again\n');
  expect(asked[0]).toBe('GET /api/v1/events?types=client.connected');
});

it.each([
  [['sub'], /<filter> is missing/],
  [['sub', 'a', '--count', '0'], /--count: must be 1 or more/],
  [['sub', 'a', '--payload', 'xml'], /none of none, text, base64/],
])('refuses %j before it asks anybody', async (argv, fault) => {
  expect(await skein(...argv)).toBe(2);
  expect(terminal.notes).toMatch(fault);
  expect(asked).toEqual([]);
});
