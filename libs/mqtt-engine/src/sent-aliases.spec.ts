import { describe, expect, it } from '@jest/globals';
import { RecordingOutput, WIDE_LIMITS } from '#libs/testkit';
import { Outbound, SharedPublish, type OutboundMessage, type OutboundTerms } from './index.ts';
import { SentAliases } from './sent-aliases.ts';

const FORM = { qos: 0, retain: false, subscriptionIdentifiers: [] } as const;
const TERMS: OutboundTerms = { version: 5, window: 9, packetBytesMax: 0, topicAliasMaximum: 2 };

class Subscriber {
  readonly output = new RecordingOutput();
  readonly outbound = new Outbound(this.output, WIDE_LIMITS);

  attach(terms: Partial<OutboundTerms> = {}): this {
    this.outbound.attach({ ...TERMS, ...terms });
    return this;
  }

  deliver(topic: string, message: Partial<OutboundMessage> = {}): SharedPublish {
    const publish = new SharedPublish(
      { topic, payload: Buffer.from('x'), receivedAtMs: 0, expiresAtMs: 0, ...message },
      false,
    );
    this.outbound.deliverLive(publish, FORM, 0);
    return publish;
  }

  /** Topic and alias of what was sent since the last call. */
  sent(): (readonly [string, number | undefined])[] {
    return this.output
      .takeSent()
      .map(({ packet }) => [packet.topic, packet.properties?.topicAlias] as const);
  }
}

describe('topic aliases towards a client', () => {
  it('are told once and stand for the topic from then on', () => {
    const subscriber = new Subscriber().attach();
    for (const topic of ['home/door', 'home/door', 'home/lamp', 'home/door', 'home/lamp']) {
      subscriber.deliver(topic);
    }
    expect(subscriber.sent()).toEqual([
      ['home/door', 1],
      ['', 1],
      ['home/lamp', 2],
      ['', 1],
      ['', 2],
    ]);
  });

  it('are never more than the client allows [MQTT-3.1.2-26] [MQTT-3.3.2-11]', () => {
    const subscriber = new Subscriber().attach({ topicAliasMaximum: 1 });
    for (const topic of ['home/door', 'home/lamp', 'home/lamp', 'home/door']) {
      subscriber.deliver(topic);
    }
    expect(subscriber.sent()).toEqual([
      ['home/door', 1],
      ['home/lamp', undefined],
      ['home/lamp', undefined],
      ['', 1],
    ]);
  });

  it('are not set where the client did not ask for them [MQTT-3.1.2-27]', () => {
    const subscriber = new Subscriber().attach({ topicAliasMaximum: 0 });
    for (const topic of ['home/door', 'home/door']) subscriber.deliver(topic);
    expect(subscriber.sent()).toEqual([
      ['home/door', undefined],
      ['home/door', undefined],
    ]);
  });

  it('end with the connection [MQTT-3.3.2-7]', () => {
    const subscriber = new Subscriber().attach();
    subscriber.deliver('home/door');
    subscriber.outbound.detach();
    subscriber.attach();
    subscriber.deliver('home/door');
    expect(subscriber.sent()).toEqual([
      ['home/door', 1],
      ['home/door', 1],
    ]);
  });

  it('are known only once a PUBLISH has told them', () => {
    // The alias makes the first packet three bytes longer: too long for the client.
    const subscriber = new Subscriber().attach({ packetBytesMax: 16 });
    subscriber.deliver('home/door');
    subscriber.deliver('home/door', { payload: Buffer.alloc(20) });
    subscriber.output.congested = true;
    subscriber.deliver('home/lamp');
    subscriber.output.congested = false;
    subscriber.deliver('lamp');
    subscriber.deliver('lamp');
    expect(subscriber.output.drops).toEqual(['too_large', 'queue_full']);
    expect(subscriber.sent()).toEqual([
      ['home/door', undefined],
      ['lamp', 1],
      ['', 1],
    ]);
  });

  it('serve QoS 1 and 2, and messages that are encoded for each receiver', () => {
    const subscriber = new Subscriber().attach();
    subscriber.deliver('home/door', { expiresAtMs: 5000 });
    const publish = subscriber.deliver('home/door', { expiresAtMs: 5000 });
    const form = { ...FORM, subscriptionIdentifiers: [7], position: undefined };
    subscriber.outbound.enqueue({ ...form, qos: 1, publish }, 0);
    subscriber.outbound.enqueue({ ...form, qos: 2, publish }, 0);
    expect(subscriber.output.sentPublishes.map(({ packet }) => packet)).toMatchObject([
      { topic: 'home/door', properties: { topicAlias: 1, messageExpiryInterval: 5 } },
      { topic: '', properties: { topicAlias: 1, messageExpiryInterval: 5 } },
      { topic: '', qos: 1, properties: { topicAlias: 1, subscriptionIdentifiers: [7] } },
      { topic: '', qos: 2, properties: { topicAlias: 1, subscriptionIdentifiers: [7] } },
    ]);
  });

  it('share the bytes with the other receivers that have the same', () => {
    const publish = new SharedPublish(
      { topic: 'home/door', payload: Buffer.from('x'), receivedAtMs: 0, expiresAtMs: 0 },
      false,
    );
    const aliases = [1, 2].flatMap((number) => [
      { number, isKnown: true },
      { number, isKnown: false },
    ]);
    const templates = aliases.map((alias) => publish.aliasedTemplate(FORM, alias, 0));
    expect(new Set(templates).size).toBe(4);
    expect(aliases.map((alias) => publish.aliasedTemplate(FORM, { ...alias }, 1))).toEqual(
      templates,
    );
    const [first] = aliases;
    if (first === undefined) throw new Error('no alias');
    expect(publish.aliasedTemplate(FORM, first, 1)).toBe(templates[0]);
  });

  it('are not spent on topics that are no longer than an alias', () => {
    const aliases = new SentAliases(1);
    expect(aliases.aliasOf('a/b')).toBeUndefined();
    expect(aliases.aliasOf('a/bc')).toEqual({ number: 1, isKnown: false });
  });
});
