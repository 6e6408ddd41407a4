import { describe, expect, it } from '@jest/globals';
import { PacketDecoder, type PublishTemplate } from '#libs/mqtt-codec';
import { SharedPublish, type OutboundMessage } from './index.ts';

const MESSAGE: OutboundMessage = {
  topic: 'a/b',
  payload: Uint8Array.of(1, 2),
  properties: { contentType: 'text' },
  receivedAtMs: 1000,
  expiresAtMs: 0,
};
const FORM = { qos: 1, retain: false, subscriptionIdentifiers: [] } as const;

function packetOf({ bytes, packetIdOffset }: PublishTemplate) {
  const patched = Uint8Array.from(bytes);
  patched[packetIdOffset + 1] = 1;
  const decoder = new PacketDecoder({ packetBytesMax: bytes.length });
  decoder.version = 5;
  decoder.push(patched);
  const packet = decoder.read();
  return packet?.kind === 'publish' ? packet : undefined;
}

function propertiesOf(template: PublishTemplate) {
  return packetOf(template)?.properties;
}

describe('SharedPublish that waits', () => {
  it('keeps its own bytes, not the chunk that they came in', () => {
    const chunk = new Uint8Array(65_536).fill(7);
    const properties = { contentType: 'text', correlationData: chunk.subarray(9, 12) };
    const shared = new SharedPublish(
      { ...MESSAGE, payload: chunk.subarray(5, 7), properties },
      false,
    );
    const before = structuredClone(propertiesOf(shared.template(5, FORM, 0)));
    shared.compact();
    const { payload } = shared.message;
    expect([...payload, payload.buffer.byteLength]).toEqual([7, 7, 2]);
    const own = shared.message.properties?.correlationData;
    expect([...(own ?? []), own?.buffer.byteLength]).toEqual([7, 7, 7, 3]);
    expect(propertiesOf(shared.template(5, FORM, 0))).toEqual(before);
    shared.compact();
    expect(shared.message.payload).toBe(payload);
  });

  it('copies nothing that is most of its chunk', () => {
    const payload = new Uint8Array(65_536).subarray(100);
    const shared = new SharedPublish({ ...MESSAGE, payload }, false);
    shared.compact();
    expect(shared.message.payload).toBe(payload);
  });
});

describe('SharedPublish below a mountpoint', () => {
  const below = (topic: string, mountpoint = 'm/'): SharedPublish | undefined =>
    new SharedPublish({ ...MESSAGE, topic }, false).below(mountpoint);

  it('has its topic without it, encoded once for all who are there', () => {
    const shared = new SharedPublish({ ...MESSAGE, topic: 'm/a' }, true);
    const seen = shared.below('m/');
    expect(seen?.remote).toBe(true);
    expect(shared.below('m/')).toBe(seen);
    expect(seen && packetOf(seen.template(5, FORM, 0))?.topic).toBe('a');
    expect(packetOf(shared.template(5, FORM, 0))?.topic).toBe('m/a');
  });

  it('is not there when it is not theirs', () => {
    expect(['a', 'm', 'm/', 'ma', 'n/m/a', 'M/a'].map((topic) => below(topic))).toEqual(
      Array.from({ length: 6 }, () => undefined),
    );
  });

  it('is as it is when the broker speaks of itself, and nobody else can speak so', () => {
    const shared = new SharedPublish({ ...MESSAGE, topic: '$SYS/broker/uptime' }, false);
    expect(shared.below('m/')).toBe(shared);
    expect([below('m/$SYS/broker/uptime'), below('m/$x')]).toEqual([undefined, undefined]);
  });

  it('has its response topic without it, if that is below it, too', () => {
    const answerTo = (responseTopic: string): string | undefined =>
      new SharedPublish({ ...MESSAGE, topic: 'm/a', properties: { responseTopic } }, false).below(
        'm/',
      )?.message.properties?.responseTopic;
    expect(['m/r', 'r'].map(answerTo)).toEqual(['r', 'r']);
    // Without its mountpoint nothing would be left, and no topic name is empty [MQTT-4.7.3-1].
    expect(answerTo('m/')).toBe('m/');
  });
});

describe('SharedPublish', () => {
  it('is encoded once for each version, QoS and RETAIN', () => {
    const shared = new SharedPublish(MESSAGE, false);
    const templates = [];
    for (const version of [4, 5] as const) {
      for (const qos of [0, 1, 2] as const) {
        for (const retain of [false, true]) {
          const form = { ...FORM, qos, retain };
          const template = shared.template(version, form, 1000);
          expect(shared.template(version, { ...form }, 2000)).toBe(template);
          templates.push(template);
        }
      }
    }
    expect(new Set(templates).size).toBe(12);
    expect(shared.template(3, FORM, 0)).toBe(shared.template(4, FORM, 0));
  });

  it('carries the subscription identifiers of each receiver [MQTT-3.3.4-3]', () => {
    const shared = new SharedPublish(MESSAGE, false);
    const one = shared.template(5, { ...FORM, subscriptionIdentifiers: [7] }, 1000);
    const two = shared.template(5, { ...FORM, subscriptionIdentifiers: [8, 9] }, 1000);
    const none = shared.template(5, FORM, 1000);
    expect(propertiesOf(one)).toMatchObject({ subscriptionIdentifiers: [7], contentType: 'text' });
    expect(propertiesOf(two)).toMatchObject({ subscriptionIdentifiers: [8, 9] });
    expect(propertiesOf(none)?.subscriptionIdentifiers).toBeUndefined();
  });

  it.each([
    { waitedMs: 0, leftSeconds: 10 },
    { waitedMs: 1, leftSeconds: 10 },
    { waitedMs: 9999, leftSeconds: 1 },
  ])('tells how long it lasts after $waitedMs ms [MQTT-3.3.2-6]', ({ waitedMs, leftSeconds }) => {
    const shared = new SharedPublish({ ...MESSAGE, expiresAtMs: 11_000 }, false);
    const template = shared.template(5, FORM, 1000 + waitedMs);
    expect(propertiesOf(template)).toMatchObject({ messageExpiryInterval: leftSeconds });
    expect(shared.template(4, FORM, 1000)).toBe(shared.template(4, FORM, 5000));
  });

  it('never lasts longer than its publisher said, though clocks differ [MQTT-3.3.2-6]', () => {
    const messageExpiryInterval = 0xffff_ffff;
    const expiresAtMs = 1000 + messageExpiryInterval * 1000;
    const properties = { messageExpiryInterval };
    const shared = new SharedPublish({ ...MESSAGE, properties, expiresAtMs }, false);
    const template = shared.template(5, FORM, 999);
    expect(propertiesOf(template)).toMatchObject({ messageExpiryInterval });
  });

  it('is encoded once for receivers that are to see the same of a message that expires', () => {
    const shared = new SharedPublish({ ...MESSAGE, expiresAtMs: 11_000 }, false);
    const form = { ...FORM, subscriptionIdentifiers: [7] };
    const template = shared.template(5, form, 1001);
    expect(shared.template(5, { ...form, subscriptionIdentifiers: [7] }, 1999)).toBe(template);
    expect(propertiesOf(shared.template(5, form, 2000))?.messageExpiryInterval).toBe(9);
    const other = shared.template(5, { ...form, subscriptionIdentifiers: [8] }, 2000);
    expect(propertiesOf(other)?.subscriptionIdentifiers).toEqual([8]);
  });

  it('expires at its time, and never without one', () => {
    const shared = new SharedPublish({ ...MESSAGE, expiresAtMs: 11_000 }, false);
    expect([shared.isExpired(10_999), shared.isExpired(11_000)]).toEqual([false, true]);
    expect(new SharedPublish(MESSAGE, false).isExpired(Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
