import { spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { until } from '#libs/testkit';
import type { Ops } from '../e2e/harness/app.ts';
import { Broker } from '../e2e/harness/broker.ts';
import type { Scope } from '../e2e/harness/scope.ts';
import { openExtras } from './extras.ts';
import { openStage, type Observe, type Stage } from './stage.ts';
import { DRILL_USER } from './traffic.ts';

/** As many are connected side by side. */
const WAVE = 2_000;
/** And as many knock at a time. */
const KNOCKING = 100;
const VISIT_DEADLINE_MS = 60_000;
const SERIES_MAX = 1_500;
const WARM_UP_MS = 20_000;
/** One of so many has a wrong password. */
const WRONG_ONE_IN = 20;

/** The page of a process before and after. */
export interface SeriesPage {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** What promtool says to it. */
  readonly lint: string;
}

/** What random clients have left behind. */
export interface SeriesResult {
  readonly pages: readonly SeriesPage[];
  /** The series of a node by default. */
  readonly plain: number;
  readonly failures: readonly string[];
}

/** Compares the series of every process before and after so many clients with ids, users and topics that nobody has had before. */
export async function runSeries(
  scope: Scope,
  { clients, observe }: { readonly clients: number; readonly observe: Observe },
): Promise<SeriesResult> {
  const stage = await openStage(scope, { observe });
  await openExtras(scope, stage);
  const beganAtMs = performance.now();
  await until(() => performance.now() - beganAtMs > WARM_UP_MS, 2 * WARM_UP_MS);
  const processes: readonly (readonly [string, Ops])[] = [
    ...stage.nodes.map(({ id, ops }) => [id, ops] as const),
    ['api', stage.api.ops],
  ];
  const failures: string[] = [];
  // The series of a route begin with its first request, whatever the path.
  await stray(stage);
  const before = new Map<string, ReadonlySet<string>>();
  for (const [name, ops] of processes) before.set(name, seriesOf(await ops.metrics()));
  const accepted = await comeAndGo(stage, clients);
  if (accepted < clients / 2)
    failures.push(`only ${String(accepted)} of ${String(clients)} clients got in`);
  const pages: SeriesPage[] = [];
  for (const [name, ops] of processes) {
    const page = await ops.metrics();
    const [old, now] = [before.get(name) ?? new Set<string>(), seriesOf(page)];
    for (const series of now) if (!old.has(series)) failures.push(`${name} has got ${series}`);
    for (const series of old) if (!now.has(series)) failures.push(`${name} has lost ${series}`);
    const lint = lintOf(page);
    if (lint !== 'clean') failures.push(`promtool says of ${name}: ${lint}`);
    pages.push({ name, before: old.size, after: now.size, lint });
  }
  // The bound is that of a node by default; listeners, bridges and rules have series of their own.
  const plain = seriesOf(await (await Broker.start(scope)).ops.metrics()).size;
  if (plain > SERIES_MAX)
    failures.push(`a node has ${String(plain)} series by default, more than ${String(SERIES_MAX)}`);
  return { pages, plain, failures };
}

/** Names and labels, without values. */
function seriesOf(page: string): ReadonlySet<string> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Set(lines.map((line) => line.slice(0, line.lastIndexOf(' '))));
}

function lintOf(page: string): string {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    ...{ input: page, encoding: 'utf8' },
  });
  const output = `${stdout}${stderr}`.trim();
  return status === 0 && output === '' ? 'clean' : `exit code ${String(status)}: ${output}`;
}

/** Lets clients come in waves, each of which is connected side by side for a moment; returns how many got in. */
async function comeAndGo(stage: Stage, clients: number): Promise<number> {
  const { nodes } = stage;
  let accepted = 0;
  for (let from = 0; from < clients; from += WAVE) {
    const sockets: Socket[] = [];
    const size = Math.min(WAVE, clients - from);
    for (let done = 0; done < size; done += KNOCKING) {
      const count = Math.min(KNOCKING, size - done);
      const visits = Array.from({ length: count }, (_, index) =>
        visit(nodes[(done + index) % nodes.length]?.port ?? 0, sockets),
      );
      accepted += (await Promise.all(visits)).filter(Boolean).length;
    }
    // Half of them say goodbye, the others are gone, and their wills are published.
    for (const [index, socket] of sockets.entries()) {
      if (index % 2 === 0) socket.end(mqttPacket.generate({ cmd: 'disconnect' }));
      else socket.destroy();
    }
    await stray(stage);
  }
  return accepted;
}

/** Asks the API for what is not there, by two paths that nobody has asked for before. */
async function stray({ api }: Stage): Promise<void> {
  for (const path of [`${word()}/${word()}`, `clients/${word()}`]) {
    const response = await fetch(`${api.origin}/api/v1/${path}`);
    await response.body?.cancel();
  }
}

const word = (): string => randomBytes(6).toString('hex');

/** Connects, subscribes to a filter and publishes to a topic that nobody else knows; tells whether it got in. */
async function visit(port: number, sockets: Socket[]): Promise<boolean> {
  const protocolVersion = randomInt(2) === 0 ? 4 : 5;
  const options = { protocolVersion } as const;
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const parser = mqttPacket.parser(options);
  let isAccepted = false;
  let isSettled = false;
  parser.on('packet', (packet: Packet) => {
    if (packet.cmd === 'connack') isAccepted = (packet.reasonCode ?? packet.returnCode) === 0;
    isSettled ||= !isAccepted || packet.cmd === 'puback';
  });
  socket.on('data', (bytes) => parser.parse(bytes));
  const closed = once(socket, 'close').catch(() => undefined);
  const send = (packet: Packet): void => {
    socket.write(mqttPacket.generate(packet, options));
  };
  const isWrong = randomInt(WRONG_ONE_IN) === 0;
  const qos = randomInt(2) as 0 | 1;
  const [topic, filter] = [`${word()}/${word()}`, `${word()}/+/${word()}/#`];
  send({
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion, clientId: word(), keepalive: 600 },
    ...{ clean: true, username: isWrong ? word() : DRILL_USER.name },
    password: Buffer.from(isWrong ? word() : DRILL_USER.password),
    will: { topic: `${word()}/will`, payload: Buffer.from(word()), qos, retain: false },
  });
  send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos }] });
  const retain = randomInt(4) === 0;
  const message = { cmd: 'publish', topic, payload: word(), qos: 1, retain, dup: false } as const;
  send({ ...message, messageId: 2 });
  await Promise.race([until(() => isSettled, VISIT_DEADLINE_MS), closed]);
  if (isAccepted) sockets.push(socket);
  else socket.destroy();
  return isAccepted;
}
