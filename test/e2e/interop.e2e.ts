import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { Scope } from './harness/scope.ts';
import type { InteropClient, Outgoing, Subscriber } from './interop/interop-client.ts';
import { MOSQUITTO, mosquittoPublishAliased } from './interop/mosquitto.ts';
import { MQTT_JS } from './interop/mqtt-js.ts';
import { PAHO_C, pahoCPublishAliased } from './interop/paho-c.ts';
import { PAHO_PYTHON, pahoPublish } from './interop/paho-python.ts';

const CLIENTS: readonly InteropClient[] = [MQTT_JS, MOSQUITTO, PAHO_PYTHON, PAHO_C];
const CASES = ([3, 4, 5] as const).flatMap((level) =>
  CLIENTS.map((client) => ({ client, name: client.name, level })),
);
const WAIT_MS = 10_000;
const GROUP_MESSAGES = 12;

const shared = new Scope();
const scope = new Scope();
let port: number;
let topics = 0;

beforeAll(async () => {
  ({ port } = await Broker.start(shared));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

/** A topic that no other test has. */
function newTopic(): string {
  topics += 1;
  return `interop/${String(topics)}`;
}

/** Waits for so many lines. */
async function lines(subscriber: Subscriber, count: number): Promise<readonly string[]> {
  await until(() => subscriber.lines.length >= count, WAIT_MS).catch((cause: unknown) => {
    throw new Error(`only ${JSON.stringify(subscriber.lines)}`, { cause });
  });
  return subscriber.lines;
}

describe.each(CASES)('$name with protocol level $level', ({ client, level }) => {
  it('gets every QoS from every other client', async () => {
    const topic = newTopic();
    const subscriber = await client.subscribe(scope, port, { level, filter: `${topic}/#`, qos: 2 });
    const expected: string[] = [];
    for (const publisher of CLIENTS) {
      const from = `${topic}/${publisher.name.replace(' ', '-')}`;
      const messages = ([0, 1, 2] as const).map((qos): Outgoing => {
        expected.push(`${from} q${String(qos)} r0 with-${String(qos)}`);
        return { topic: from, text: `with-${String(qos)}`, qos };
      });
      await publisher.publish(scope, port, { level, messages });
    }

    // A client may hand on a QoS 2 message after PUBREL only, and QoS 0 meanwhile.
    const seen = await lines(subscriber, expected.length);
    expect(seen.toSorted()).toEqual(expected.toSorted());
  });

  it('leaves a retained message for the others, and finds those that they have left', async () => {
    const topic = newTopic();
    const mine = { topic: `${topic}/mine`, text: 'kept', qos: 1 as const, retain: true };
    await client.publish(scope, port, { level, messages: [mine] });
    const theirs = { topic: `${topic}/theirs`, text: 'left', qos: 2 as const, retain: true };
    await MQTT_JS.publish(scope, port, { level: level === 5 ? 4 : 5, messages: [theirs] });
    for (const reader of [client, ...CLIENTS.filter((other) => other !== client)]) {
      const found = await reader.subscribe(scope, port, { level, filter: `${topic}/+`, qos: 2 });
      expect((await lines(found, 2)).toSorted()).toEqual([
        `${topic}/mine q1 r1 kept`,
        `${topic}/theirs q2 r1 left`,
      ]);
    }
  });

  it('has its will published when it is gone', async () => {
    const topic = newTopic();
    const watcher = await MQTT_JS.subscribe(scope, port, { level, filter: topic, qos: 2 });
    const will = { topic, text: 'gone', qos: 2 as const };
    const dying = await client.subscribe(scope, port, { level, filter: 'nothing', qos: 0, will });
    await dying.kill();

    expect(await lines(watcher, 1)).toEqual([`${topic} q2 r0 gone`]);
  });

  it('takes its part of a shared subscription', async () => {
    const topic = newTopic();
    const filter = `$share/${topic.replace('/', '-')}/${topic}`;
    const members = [
      await client.subscribe(scope, port, { level, filter, qos: 1 }),
      await MQTT_JS.subscribe(scope, port, { level, filter, qos: 1 }),
    ];
    const texts = Array.from({ length: GROUP_MESSAGES }, (_, index) => `m${String(index)}`);
    const messages = texts.map((text): Outgoing => ({ topic, text, qos: 1 }));
    await MQTT_JS.publish(scope, port, { level, messages });
    await until(() => members.flatMap((member) => member.lines).length >= GROUP_MESSAGES, WAIT_MS);

    const seen = members.flatMap((member) => member.lines);
    expect(seen.toSorted()).toEqual(texts.map((text) => `${topic} q1 r0 ${text}`).toSorted());
    expect(members.every((member) => member.lines.length > 0)).toBe(true);
  });
});

describe('user properties', () => {
  const user = [
    ['b', '2'],
    ['a', '3'],
    ['b', '1'],
  ] as const;

  it.each(CLIENTS.map((client) => ({ client, name: client.name })))(
    'of $name arrive at every client, in their order',
    async ({ client }) => {
      const topic = newTopic();
      const what = { level: 5, filter: topic, qos: 0 } as const;
      const python = await PAHO_PYTHON.subscribe(scope, port, what);
      const mosquitto = await MOSQUITTO.subscribe(scope, port, what);
      const js = await MQTT_JS.subscribe(scope, port, what);
      const c = await PAHO_C.subscribe(scope, port, what);
      // The C program takes one pair only; the object of MQTT.js keeps names together.
      const sent = client === PAHO_C ? user.slice(0, 1) : user;
      const inOrder = client === MQTT_JS ? 'user b=2 b=1 a=3' : 'user b=2 a=3 b=1';
      const expected = client === PAHO_C ? 'user b=2' : inOrder;
      const messages: Outgoing[] = [{ topic, text: 'x', qos: 0, user: sent }];
      await client.publish(scope, port, { level: 5, messages });

      expect(await lines(python, 2)).toEqual([`${topic} q0 r0 x`, expected]);
      expect(await lines(mosquitto, 2)).toEqual([`${topic} q0 r0 x`, expected]);
      expect((await lines(c, 2))[1]).toBe(expected);
      const grouped = client === PAHO_C ? 'user b=2' : 'user b=2 b=1 a=3';
      expect((await lines(js, 2))[1]).toBe(grouped);
    },
  );

  // The C program takes none for its will.
  it.each([MQTT_JS, MOSQUITTO, PAHO_PYTHON].map((client) => ({ client, name: client.name })))(
    'of a will of $name arrive',
    async ({ client }) => {
      const topic = newTopic();
      const watcher = await PAHO_PYTHON.subscribe(scope, port, { level: 5, filter: topic, qos: 1 });
      const will: Outgoing = { topic, text: 'gone', qos: 1, user: user.slice(0, 2) };
      const told = { level: 5, filter: 'nothing', qos: 0, will } as const;
      const dying = await client.subscribe(scope, port, told);
      await dying.kill();

      expect(await lines(watcher, 2)).toEqual([`${topic} q1 r0 gone`, 'user b=2 a=3']);
    },
  );
});

describe('topic aliases', () => {
  it('of MQTT.js are understood, and it understands those of the broker', async () => {
    const topic = newTopic();
    const receiver = await Client.connect(scope, `mqtt://127.0.0.1:${String(port)}`, {
      properties: { topicAliasMaximum: 5 },
    });
    await receiver.subscribe(`${topic}/+`, 1);
    const sender = await Client.connect(scope, `mqtt://127.0.0.1:${String(port)}`, {
      autoAssignTopicAlias: true,
    });
    const sent = ['a', 'b', 'a', 'b', 'a'].map((name) => `${topic}/${name}`);
    for (const each of sent) await sender.publish(each, 'x');
    await receiver.receives(sent.length);

    expect(receiver.received.map((message) => message.topic)).toEqual(sent);
    const aliases = receiver.packets.map(({ properties }) => properties?.topicAlias);
    expect(aliases).toEqual([1, 2, 1, 2, 1]);
  });

  it('of mosquitto are understood', async () => {
    const topic = newTopic();
    const receiver = await PAHO_PYTHON.subscribe(scope, port, { level: 5, filter: topic, qos: 2 });
    const texts = ['m0', 'm1', 'm2'];
    const told = await mosquittoPublishAliased(scope, port, { topic, texts });

    expect(await lines(receiver, 3)).toEqual(texts.map((text) => `${topic} q2 r0 ${text}`));
    const sent = told.split('\n').filter((line) => line.includes('sending PUBLISH ('));
    expect(sent.map((line) => line.includes(topic))).toEqual([true, false, false]);
  });

  it('of paho C are understood', async () => {
    const topic = newTopic();
    const receiver = await MOSQUITTO.subscribe(scope, port, { level: 5, filter: topic, qos: 2 });
    const texts = ['m0', 'm1', 'm2'];
    await pahoCPublishAliased(scope, port, { topic, texts });

    expect(await lines(receiver, 3)).toEqual(texts.map((text) => `${topic} q2 r0 ${text}`));
  });

  it('of paho Python are understood', async () => {
    const topic = newTopic();
    const receiver = await MOSQUITTO.subscribe(scope, port, { level: 5, filter: topic, qos: 2 });
    const messages = [topic, '', ''].map((name, index) => {
      return { topic: name, text: `m${String(index)}`, qos: 2 as const, alias: 1 };
    });
    await pahoPublish(scope, port, { level: 5, messages });

    expect(await lines(receiver, 3)).toEqual([0, 1, 2].map((n) => `${topic} q2 r0 m${String(n)}`));
  });
});
