import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { Scope } from './harness/scope.ts';

const DEADLINE_MS = 60_000;
const SERVER_BUSY = 0x89;
const FALL_SECONDS = 8;
/** Far apart, so that a machine that is busy with other things does not take one for the next. */
const SETTINGS = {
  OVERLOAD_LOOP_DELAY_MS: '[150, 800, 3000]',
  OVERLOAD_RISE_SECONDS: 1,
  OVERLOAD_FALL_SECONDS: FALL_SECONDS,
};
/** How long the event loop stands still to come to a level, and how long it runs in between. */
const STALL_MS = [0, 400, 2_500, 8_000] as const;
const RUN_MS = 30;

jest.setTimeout(240_000);

const scope = new Scope();
afterEach(() => scope.close());

const level = (node: Broker): Promise<number> => node.ops.metric('skein_broker_overload_level');

/** The lines of the log about steps up, without their times. */
const steps = (node: Broker): readonly string[] =>
  node.child.output.match(/overload from=\d to=\d cause=\w+/g) ?? [];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Has the process run only now and then, so that its event loop is late, until it says that it has come to a level. */
async function driveTo(node: Broker, wanted: 1 | 2 | 3): Promise<void> {
  const { child } = node;
  const deadlineMs = Date.now() + DEADLINE_MS;
  const isThere = (): boolean => steps(node).some((step) => step.includes(`to=${String(wanted)} `));
  try {
    while (!isThere() && Date.now() < deadlineMs) {
      process.kill(child.pid, 'SIGSTOP');
      await pause(STALL_MS[wanted]);
      process.kill(child.pid, 'SIGCONT');
      await pause(RUN_MS);
    }
  } finally {
    process.kill(child.pid, 'SIGCONT');
  }
  expect(isThere()).toBe(true);
  expect(await level(node)).toBe(wanted);
}

/** The code of the CONNACK that refuses a client; undefined for one that does not. */
async function refusal(node: Broker): Promise<number | undefined> {
  const { mqtt } = new Client(scope, node.url);
  const code = await new Promise<number | undefined>((resolve) => {
    mqtt.once('connect', () => resolve(undefined));
    mqtt.once('error', (error) => resolve((error as { readonly code?: number }).code ?? -1));
  });
  await mqtt.endAsync(true);
  return code;
}

describe('a node whose event loop is late', () => {
  it('leaves more and more, step by step, says so once each, and takes all of it up again', async () => {
    const node = await Broker.start(scope, SETTINGS);
    const subscriber = await Client.connect(scope, node.url);
    await subscriber.subscribe('t/#');
    const publisher = await Client.connect(scope, node.url);
    const dropped = (): Promise<number> =>
      node.ops.metric('skein_broker_deliveries_dropped_total', 'reason="overload"');
    expect([await level(node), steps(node)]).toEqual([0, []]);

    await driveTo(node, 1);
    expect(await refusal(node)).toBe(SERVER_BUSY);
    expect(await node.ops.health('ready')).toBe(503);
    expect(await node.ops.health('live')).toBe(200);
    await publisher.publish('t/0', 'q0 at 1', { qos: 0 });
    await publisher.publish('t/1', 'q1 at 1');
    await subscriber.receivesAll(['q0 at 1', 'q1 at 1']);
    expect(await dropped()).toBe(0);

    await driveTo(node, 2);
    expect(await refusal(node)).toBe(SERVER_BUSY);
    await publisher.publish('t/0', 'q0 at 2', { qos: 0 });
    await publisher.publish('t/1', 'q1 at 2');
    await subscriber.receivesAll(['q1 at 2']);
    expect(subscriber.payloads).not.toContain('q0 at 2');
    expect(await dropped()).toBe(1);

    await driveTo(node, 3);
    // Who publishes is found out by that, and not read from then on.
    await publisher.publish('t/1', 'q1 first at 3');
    let isAcknowledged = false;
    const waiting = publisher.publish('t/1', 'q1 at 3').then(() => (isAcknowledged = true));
    await until(
      async () =>
        (await node.ops.metric('skein_broker_reading_held_total', 'reason="overload"')) > 0,
      DEADLINE_MS,
    );
    expect([isAcknowledged, await level(node)]).toEqual([false, 3]);

    await waiting;
    expect(await level(node)).toBeLessThan(3);
    await until(async () => (await level(node)) === 0, DEADLINE_MS);
    await subscriber.receivesAll(['q1 at 3']);
    expect(await node.ops.health('ready')).toBe(200);
    expect(await refusal(node)).toBeUndefined();
    await publisher.publish('t/0', 'q0 again', { qos: 0 });
    await subscriber.receivesAll(['q0 again']);

    const cause = 'cause=loopDelayMs';
    expect(steps(node)).toEqual([
      `overload from=0 to=1 ${cause}`,
      `overload from=1 to=2 ${cause}`,
      `overload from=2 to=3 ${cause}`,
    ]);
    expect(node.child.output.match(/overload-less from=\d to=\d/g)).toEqual([
      'overload-less from=3 to=2',
      'overload-less from=2 to=1',
      'overload-less from=1 to=0',
    ]);
    for (const reached of [1, 2, 3]) {
      const label = `level="${String(reached)}"`;
      expect(await node.ops.metric('skein_broker_overloads_total', label)).toBe(1);
    }
    const refused = 'reason="server_busy"';
    expect(await node.ops.metric('skein_broker_connects_total', refused)).toBe(2);
    expect([subscriber.closes, publisher.closes]).toEqual([0, 0]);
  });
});
