import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { NodeCommand, NodeReply } from '#libs/api-contracts';
import type { ClusterHandler } from '#libs/broker-ports';
import { SingleNodeBus } from '#libs/cluster';
import { loadConfig } from '#libs/config';
import { NodeCommandClient, commandChannel } from '#libs/nest-support';
import { RecordingLog, freePort, until } from '#libs/testkit';
import { BrokerModule } from './broker.module.ts';
import type { BrokerProcess } from './broker-process.ts';
import { BASE_CONFIG, BUS, LOG, PROCESS } from './wiring/tokens.ts';

const DEADLINE_MS = 20_000;

/** A cluster that a node joins when it is let; before that the node has no incarnation. */
class SlowBus extends SingleNodeBus {
  letJoin: () => void = () => undefined;
  readonly #joined = new Promise<void>((resolve) => (this.letJoin = resolve));
  #isOpen = false;

  override async open(handler: ClusterHandler): Promise<void> {
    await this.#joined;
    this.#isOpen = true;
    return super.open(handler);
  }

  get ready(): boolean {
    return this.#isOpen;
  }
}

let bus: SlowBus;
let broker: BrokerProcess;
let log: RecordingLog;
let client: NodeCommandClient<NodeCommand, NodeReply>;
let opsPort: number;

beforeEach(async () => {
  opsPort = await freePort();
  const config = loadConfig({
    env: {
      SKEIN_NODE_ID: 'n1',
      SKEIN_LISTENERS_TCP_PORT: '0',
      SKEIN_LISTENERS_WS_ENABLED: 'false',
      SKEIN_OPS_PORT: String(opsPort),
      SKEIN_COMMANDS_PORT: String(await freePort()),
    },
  });
  bus = new SlowBus({ nodeId: 'n1', version: '1', startedAtMs: 1 });
  log = new RecordingLog();
  const module = await Test.createTestingModule({ imports: [BrokerModule] })
    .overrideProvider(BASE_CONFIG)
    .useValue(config)
    .overrideProvider(LOG)
    .useValue(log)
    .overrideProvider(BUS)
    .useValue(bus)
    .compile();
  broker = module.get<BrokerProcess>(PROCESS);
  client = new NodeCommandClient({ channel: commandChannel(config), log });
});

afterEach(async () => {
  await client.close();
  await broker.stop();
});

async function readiness(): Promise<number> {
  return (await fetch(`http://127.0.0.1:${String(opsPort)}/healthz/ready`)).status;
}

it('takes commands when it has joined the cluster, and not before', async () => {
  const started = broker.start();
  await until(async () => (await readiness()) === 503, DEADLINE_MS);
  const ask = () => client.ask('n1', { kind: 'status' }, DEADLINE_MS);
  expect(await ask()).toEqual({ kind: 'unreachable', sent: false });
  bus.letJoin();
  await started;
  await until(async () => {
    expect(await ask()).toMatchObject({
      kind: 'reply',
      reply: { kind: 'done', answer: { node: { nodeId: 'n1', incarnation: 1 } } },
    });
  }, DEADLINE_MS);
  expect(await readiness()).toBe(200);
  expect(log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
});

it('stops in order while it waits for the cluster', async () => {
  void broker.start();
  await until(async () => (await readiness()) === 503, DEADLINE_MS);
  await broker.stop();
  await expect(readiness()).rejects.toThrow('fetch failed');
});
