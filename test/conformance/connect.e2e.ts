import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Broker } from '../e2e/harness/broker.ts';
import { Scope } from '../e2e/harness/scope.ts';
import { BAD_TEXT, connectBytes, text, type ConnectPieces } from './connect-bytes.ts';
import { Wire, uniqueId, type Level } from './wire.ts';

const WILL = 0x04;
const WILL_QOS_1 = 0x08;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USERNAME = 0x80;

const shared = new Scope();
const scope = new Scope();
let port: number;

beforeAll(async () => {
  ({ port } = await Broker.start(shared));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

/** Sends the pieces of a CONNECT and gives what the server says before it closes. */
async function refusalOf(pieces: ConnectPieces & { readonly level: Level }) {
  const wire = await Wire.open(scope, port, pieces.level);
  wire.sendBytes(connectBytes(pieces));
  return wire.closed();
}

/** Whether these pieces make a CONNECT that the server takes. */
async function isTaken(pieces: ConnectPieces & { readonly level: Level }): Promise<boolean> {
  const wire = await Wire.open(scope, port, pieces.level);
  wire.sendBytes(connectBytes(pieces));
  const { reasonCode, returnCode } = await wire.next('connack');
  return (reasonCode ?? returnCode) === 0;
}

type FlagsAndPayload = readonly [flags: number, payload: readonly (string | Uint8Array)[]];

const MALFORMED = [{ cmd: 'connack', sessionPresent: false, reasonCode: 0x81 }];

describe.each([4, 5] as const)('CONNECT of level %d', (level) => {
  const open = () => Wire.open(scope, port, level);

  it('is answered with CONNACK before anything else, and once [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT3-3.1.4-4] [MQTT3-3.2.0-1]', async () => {
    const wire = await open();
    const subscriptions = [{ topic: 't', qos: 0 as const }];
    wire.send(
      wire.connectPacket(),
      { cmd: 'subscribe', messageId: 1, subscriptions },
      { cmd: 'publish', topic: 't', payload: 'x', qos: 0, dup: false, retain: false },
    );
    await wire.next('connack');
    const kinds = (await wire.idle()).map(({ cmd }) => cmd);
    expect(kinds.filter((kind) => kind === 'connack')).toEqual([]);
    expect(kinds).toContain('suback');
  });

  it('is answered with no reserved flags set [MQTT-3.2.2-1]', async () => {
    const wire = await open();
    expect(await wire.connect()).toMatchObject({ sessionPresent: false });
    const flags = wire.bytes[2];
    expect(flags).toBe(0);
  });

  it('must come first; there is no answer to anything else [MQTT-3.1.0-1] [MQTT-3.14.0-1] [MQTT3-3.1.0-1]', async () => {
    for (const bytes of ['c000', '300300016178', 'e000', '8206000100016100', 'ff']) {
      const wire = await open();
      wire.sendBytes(bytes);
      expect(await wire.closed()).toEqual([]);
    }
  });

  it('must not come twice [MQTT-3.1.0-2] [MQTT-4.13.1-1] [MQTT3-3.1.0-2] [MQTT3-4.8.0-1]', async () => {
    const wire = await open();
    await wire.connect();
    wire.send(wire.connectPacket());
    const last = await wire.closed();
    expect(last).toMatchObject(level === 5 ? [{ cmd: 'disconnect', reasonCode: 0x82 }] : []);
  });

  // A flag or a field is wrong, and the same without the fault.
  const WILL_FIELDS = [...(level === 5 ? [Buffer.of(0)] : []), 'topic', 'gone'];
  it.each<[string, FlagsAndPayload, FlagsAndPayload]>([
    ['the reserved flag [MQTT-3.1.2-3] [MQTT3-3.1.2-3]', [0x03, ['c']], [0x02, ['c']]],
    [
      'a will QoS without a will [MQTT-3.1.2-11] [MQTT3-3.1.2-11] [MQTT3-3.1.2-13]',
      [0x02 | WILL_QOS_1, ['c']],
      [0x02, ['c']],
    ],
    [
      'will retain without a will [MQTT-3.1.2-13] [MQTT3-3.1.2-11] [MQTT3-3.1.2-15]',
      [0x02 | WILL_RETAIN, ['c']],
      [0x02, ['c']],
    ],
    [
      'the fields of a will where the flag is not set [MQTT3-3.1.2-11]',
      [0x02, ['c', ...WILL_FIELDS]],
      [0x02 | WILL, ['c', ...WILL_FIELDS]],
    ],
    [
      'will QoS 3 [MQTT-3.1.2-12] [MQTT3-3.1.2-14]',
      [0x02 | WILL | 0x18, ['c', ...WILL_FIELDS]],
      [0x02 | WILL | 0x10, ['c', ...WILL_FIELDS]],
    ],
    [
      'a user name where the flag is not set [MQTT-3.1.2-16] [MQTT3-3.1.2-18]',
      [0x02, ['c', 'user']],
      [0x02 | USERNAME, ['c', 'user']],
    ],
    [
      'no user name where the flag is set [MQTT-3.1.2-17] [MQTT3-3.1.2-19]',
      [0x02 | USERNAME, ['c']],
      [0x02 | USERNAME, ['c', 'user']],
    ],
    [
      'a password where the flag is not set [MQTT-3.1.2-18] [MQTT3-3.1.2-20]',
      [0x02 | USERNAME, ['c', 'user', 'secret']],
      [0x02 | USERNAME | PASSWORD, ['c', 'user', 'secret']],
    ],
    [
      'no password where the flag is set [MQTT-3.1.2-19] [MQTT3-3.1.2-21]',
      [0x02 | USERNAME | PASSWORD, ['c', 'user']],
      [0x02 | USERNAME, ['c', 'user']],
    ],
    ['no client identifier [MQTT-3.1.3-3] [MQTT3-3.1.3-3]', [0x02, []], [0x02, ['c']]],
  ])('with %s is malformed', async (_, [flags, payload], right) => {
    const last = await refusalOf({ level, flags, payload });
    // MQTT 3.1.1 closes without CONNACK; MQTT 5 may say why.
    expect(last).toMatchObject(level === 5 ? MALFORMED : []);
    expect(last).toHaveLength(level === 5 ? 1 : 0);
    expect(await isTaken({ level, flags: right[0], payload: right[1] })).toBe(true);
  });

  it('is not taken further where it is malformed [MQTT-3.1.4-1] [MQTT3-3.1.4-1]', async () => {
    const last = await refusalOf({ level, flags: 0x03, payload: ['c'] });
    expect(last.map(({ cmd }) => cmd)).toEqual(level === 5 ? ['connack'] : []);
  });

  it.each([
    [
      'the client identifier [MQTT-3.1.3-4] [MQTT3-3.1.3-4] [MQTT3-1.5.3-1] [MQTT3-1.5.3-2]',
      0x02,
      (bad: Uint8Array) => [bad],
    ],
    [
      'the will topic [MQTT-3.1.3-11] [MQTT3-3.1.3-10]',
      0x02 | WILL,
      (bad: Uint8Array) => ['c', ...(level === 5 ? [Buffer.of(0)] : []), bad, 'x'],
    ],
    [
      'the user name [MQTT-3.1.3-12] [MQTT3-3.1.3-11]',
      0x02 | USERNAME,
      (bad: Uint8Array) => ['c', bad],
    ],
  ] as const)('has well-formed text as %s', async (_, flags, payloadWith) => {
    for (const bad of BAD_TEXT) {
      const last = await refusalOf({ level, flags, payload: payloadWith(bad) });
      expect(last).toMatchObject(level === 5 ? MALFORMED : []);
    }
    const payload = payloadWith(text('g\u00f6\u{1f600}d'));
    expect(await isTaken({ level, flags, payload })).toBe(true);
  });

  it('has its fields in the order of section 3.1.3 [MQTT-3.1.3-1] [MQTT-3.1.2-9] [MQTT3-3.1.3-1] [MQTT3-3.1.2-9]', async () => {
    const watcher = await Wire.connected(scope, port, { level });
    await watcher.subscribe('order/#');
    const wire = await open();
    const flags = 0x02 | WILL | USERNAME | PASSWORD;
    const will = [...(level === 5 ? [Buffer.of(0)] : []), 'order/will', 'gone'];
    wire.sendBytes(
      connectBytes({ level, flags, payload: [uniqueId(), ...will, 'user', 'secret'] }),
    );
    expect(await wire.next('connack')).toMatchObject({ sessionPresent: false });
    wire.cut();
    const message = await watcher.next('publish');
    expect([message.topic, message.payload.toString()]).toEqual(['order/will', 'gone']);
  });

  it('may have a client identifier of 1 to 23 letters and digits [MQTT-3.1.3-5] [MQTT3-3.1.3-5]', async () => {
    const ids = ['Z', '0123456789abcdefghijklm', 'nopqrstuvwxyzABCDEFGHIJ', 'KLMNOPQRSTUVWXYZ'];
    for (const clientId of ids) {
      const wire = await Wire.connected(scope, port, { level, clientId });
      expect(await wire.idle()).toEqual([]);
    }
  });

  it('with an identifier that is too long is refused and closed [MQTT-3.1.3-8] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8] [MQTT-4.13.2-1] [MQTT3-3.1.3-9] [MQTT3-3.2.2-4] [MQTT3-3.2.2-5]', async () => {
    const wire = await open();
    const connack = await wire.connect({ clientId: 'x'.repeat(2000), clean: false });
    const reason = level === 5 ? { reasonCode: 0x85 } : { returnCode: 2 };
    expect(connack).toMatchObject({ ...reason, sessionPresent: false });
    expect(await wire.closed()).toEqual([]);
  });

  it('that is refused takes what follows it along [MQTT-3.1.4-6] [MQTT3-3.1.4-5]', async () => {
    const wire = await open();
    wire.send(wire.connectPacket({ clientId: 'x'.repeat(2000) }), {
      ...{ cmd: 'publish', topic: `late/${String(level)}`, payload: 'x', qos: 0, dup: false },
      retain: true,
    } as never);
    await wire.next('connack');
    await wire.closed();
    const reader = await Wire.connected(scope, port, { level });
    await reader.subscribe('late/#');
    expect(await reader.idle()).toEqual([]);
  });

  it('under the identifier of a connected client ends the other connection [MQTT-3.1.4-3] [MQTT3-3.1.4-2]', async () => {
    const clientId = uniqueId();
    const first = await Wire.connected(scope, port, { level, clientId });
    const second = await Wire.connected(scope, port, { level, clientId });
    const last = await first.closed();
    expect(last).toMatchObject(level === 5 ? [{ cmd: 'disconnect', reasonCode: 0x8e }] : []);
    expect(await second.idle()).toEqual([]);
  });

  it('with a keep-alive ends after one and a half times as long without a packet [MQTT-3.1.2-22] [MQTT-3.2.2-22] [MQTT3-3.1.2-24]', async () => {
    const watcher = await Wire.connected(scope, port, { level });
    await watcher.subscribe(`silent/${String(level)}`);
    const will = { topic: `silent/${String(level)}`, payload: Buffer.from('x') };
    const wire = await Wire.connected(scope, port, {
      ...{ level, keepalive: 1 },
      will: { ...will, qos: 0, retain: false },
    });
    const startedAt = performance.now();
    const last = await wire.closed();
    const spentMs = performance.now() - startedAt;
    expect(last).toMatchObject(level === 5 ? [{ cmd: 'disconnect', reasonCode: 0x8d }] : []);
    expect(spentMs).toBeGreaterThanOrEqual(1_450);
    expect((await watcher.next('publish')).topic).toBe(`silent/${String(level)}`);
  });
});

describe('a client without an identifier', () => {
  it('of MQTT 5 is given one that nobody has, and is told it [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]', async () => {
    const assigned = [];
    for (const flags of [0x02, 0x00, 0x02]) {
      const wire = await Wire.open(scope, port);
      wire.sendBytes(connectBytes({ flags, payload: [''] }));
      const { properties } = await wire.next('connack');
      assigned.push(properties?.assignedClientIdentifier);
    }
    expect(new Set(assigned).size).toBe(3);
    expect(assigned.every((id) => typeof id === 'string' && id !== '')).toBe(true);
    const [clientId = ''] = assigned as string[];
    const next = await Wire.connected(scope, port, { clientId });
    expect(await next.idle()).toEqual([]);
  });

  it('of MQTT 3.1.1 needs Clean Session 1 [MQTT3-3.1.3-6] [MQTT3-3.1.3-7] [MQTT3-3.1.3-8]', async () => {
    const clean = await Wire.connected(scope, port, { level: 4, clientId: '', clean: true });
    const other = await Wire.connected(scope, port, { level: 4, clientId: '', clean: true });
    expect([await clean.idle(), await other.idle()]).toEqual([[], []]);
    const wire = await Wire.open(scope, port, 4);
    wire.sendBytes(connectBytes({ level: 4, flags: 0, payload: [''] }));
    expect(await wire.next('connack')).toMatchObject({ returnCode: 2, sessionPresent: false });
    expect(await wire.closed()).toEqual([]);
  });
});

describe('a protocol that is not spoken', () => {
  it.each([
    ['another name [MQTT-3.1.2-1]', 'MQTR', 5],
    ['a level to come [MQTT-3.1.2-2]', 'MQTT', 6],
  ])('as %s is answered with 0x84 and closed', async (_, name, level) => {
    const wire = await Wire.open(scope, port);
    wire.sendBytes(connectBytes({ name, level, payload: ['c'] }));
    const last = await wire.closed();
    expect(last).toMatchObject([{ cmd: 'connack', reasonCode: 0x84, sessionPresent: false }]);
  });

  it.each([
    ['another name [MQTT3-3.1.2-1]', 'MQTR', 4],
    ['another level [MQTT3-3.1.2-2]', 'MQTT', 3],
  ])('as %s is answered with return code 1 and closed', async (_, name, level) => {
    const wire = await Wire.open(scope, port, 4);
    wire.sendBytes(connectBytes({ name, level, payload: ['c'] }));
    expect(await wire.closed()).toMatchObject([{ cmd: 'connack', returnCode: 1 }]);
  });

  it('is not MQTT 3.1 under its own name', async () => {
    const wire = await Wire.connected(scope, port, { level: 3, clientId: 'mqisdp' });
    await wire.subscribe('mqisdp', 2);
    wire.publish('mqisdp', 'hello', { qos: 2, messageId: 9 });
    expect((await wire.idle()).map(({ cmd }) => cmd).toSorted()).toEqual(['publish', 'pubrec']);
    wire.send({ cmd: 'pubrel', messageId: 9 }, { cmd: 'pubrec', messageId: 1 });
    expect((await wire.idle()).map(({ cmd }) => cmd).toSorted()).toEqual(['pubcomp', 'pubrel']);
  });
});

describe('a password without a user name', () => {
  const payload = ['c', text('secret')];

  it('is malformed before MQTT 5 [MQTT3-3.1.2-22]', async () => {
    expect(await refusalOf({ level: 4, flags: 0x02 | PASSWORD, payload })).toEqual([]);
  });

  it('is a token in MQTT 5', async () => {
    const wire = await Wire.open(scope, port);
    wire.sendBytes(connectBytes({ flags: 0x02 | PASSWORD, payload }));
    expect(await wire.next('connack')).toMatchObject({ reasonCode: 0 });
  });
});

describe('an authentication method that is not offered', () => {
  it('is refused and closed [MQTT-4.12.0-1]', async () => {
    const wire = await Wire.open(scope, port);
    const connack = await wire.connect({ properties: { authenticationMethod: 'CARRIER-PIGEON' } });
    expect(connack).toMatchObject({ reasonCode: 0x8c, sessionPresent: false });
    expect(await wire.closed()).toEqual([]);
  });
});

describe('a client that names no authentication method', () => {
  it('hears of none, and may not send AUTH [MQTT-4.12.0-6] [MQTT-4.12.0-7]', async () => {
    const wire = await Wire.open(scope, port);
    const { properties } = await wire.connect();
    expect(properties).not.toHaveProperty('authenticationMethod');
    wire.send({ cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'X' } });
    expect(await wire.closed()).toMatchObject([{ cmd: 'disconnect', reasonCode: 0x82 }]);
  });
});
