import { describe, expect, it } from '@jest/globals';
import { REASON, type PublishPacket } from '#libs/mqtt-codec';
import { RecordingOutput, publishPacket } from '#libs/testkit';
import { Inbound, type InboundTerms, type StoredReceipts } from './index.ts';

const PLAIN = { reasonStrings: false, payloadFormatCheck: false };
const V5: InboundTerms = { ...PLAIN, reasonCodes: true, receiveMaximum: 3, topicAliasMaximum: 2 };
const V4: InboundTerms = { ...PLAIN, reasonCodes: false, receiveMaximum: 4, topicAliasMaximum: 0 };
const DURABLE: StoredReceipts = { receivedPacketIds: [], receiving: [] };

class Client {
  readonly output = new RecordingOutput();
  readonly inbound = new Inbound(this.output);

  constructor(terms = V5, stored?: StoredReceipts) {
    this.inbound.attach(terms, stored);
  }

  publish(packetId: number, qos: 1 | 2 = 1, nowMs = 0): void {
    this.inbound.publish(publishPacket(`t${String(packetId)}`, '', { packetId, qos }), nowMs);
  }

  /** Completes the n-th message that was taken. */
  complete(index: number, reasonCode: 0 | 0x97 = REASON.success): void {
    this.output.acks[index]?.complete(reasonCode);
  }
}

describe('acknowledgements', () => {
  it('leave in the order of the messages, however they are completed [MQTT-4.6.0-2]', () => {
    const client = new Client();
    client.publish(11);
    client.publish(12, 2);
    client.publish(13);
    client.output.take();
    client.complete(2);
    client.complete(1);
    expect(client.output.take()).toEqual([]);
    expect(client.inbound.pendingCount).toBe(3);
    client.complete(0);
    expect(client.output.take()).toEqual(['puback 11 0x00', 'pubrec 12 0x00', 'puback 13 0x00']);
  });

  it('tell MQTT 5 clients why a message was not taken, and the others not at all [MQTT3-4.8.0-2]', () => {
    const client = new Client();
    client.publish(1);
    client.publish(2, 2);
    client.output.take();
    client.complete(0, REASON.quotaExceeded);
    client.complete(1, REASON.quotaExceeded);
    expect(client.output.take()).toEqual(['puback 1 0x97', 'pubrec 2 0x97']);

    const older = new Client(V4);
    older.publish(1);
    older.publish(2);
    older.output.take();
    older.complete(1);
    older.complete(0, REASON.quotaExceeded);
    expect(older.output.take()).toEqual(['close 0x97']);
  });

  it('say why in words only to clients that want it [MQTT-3.1.2-29]', () => {
    const refuse = (reasonStrings: boolean) => {
      const client = new Client({ ...V5, reasonStrings });
      client.publish(1);
      client.publish(2, 2);
      for (const ack of client.output.acks) ack?.complete(REASON.quotaExceeded, 'full');
      return [client.output.take().slice(2), client.output.packets];
    };
    const refused = { reasonCode: REASON.quotaExceeded, properties: { reasonString: 'full' } };
    expect(refuse(false)).toEqual([['puback 1 0x97', 'pubrec 2 0x97'], []]);
    expect(refuse(true)).toEqual([
      ['puback', 'pubrec'],
      [
        { kind: 'puback', packetId: 1, ...refused },
        { kind: 'pubrec', packetId: 2, ...refused },
      ],
    ]);
  });

  it('count only once, and not after the connection', () => {
    const client = new Client();
    client.publish(1);
    client.publish(2);
    client.output.take();
    client.complete(0);
    client.complete(0, REASON.quotaExceeded);
    expect(client.output.take()).toEqual(['puback 1 0x00']);
    client.inbound.detach();
    client.inbound.attach(V5, undefined);
    client.complete(1);
    expect(client.output.take()).toEqual([]);
  });

  it('are refused when responsibility takes too long', () => {
    const client = new Client();
    client.publish(1, 1, 1000);
    client.publish(2, 2, 1001);
    client.publish(3, 1, 1002);
    client.output.take();
    client.inbound.giveUp(1000);
    expect(client.output.take()).toEqual([]);
    client.inbound.giveUp(1002);
    expect(client.output.take()).toEqual(['puback 1 0x97', 'pubrec 2 0x97']);
    client.complete(0);
    client.complete(2);
    expect(client.output.take()).toEqual(['puback 3 0x00']);
  });
});

describe('QoS 2', () => {
  it('takes a repeated PUBLISH once [MQTT-4.3.3-10]', () => {
    const client = new Client();
    client.publish(5, 2);
    client.publish(5, 2);
    expect(client.output.take()).toEqual(['taken t5', 'duplicate']);
    client.complete(0);
    client.publish(5, 2);
    expect(client.output.take()).toEqual(['pubrec 5 0x00', 'duplicate', 'pubrec 5 0x00']);
    client.inbound.release(5);
    client.publish(5, 2);
    expect(client.output.take()).toEqual(['pubcomp 5 0x00', 'taken t5']);
  });

  it('answers an unknown PUBREL [MQTT-4.3.3-11] [MQTT-3.7.2-1]', () => {
    const client = new Client();
    client.inbound.release(9);
    expect(client.output.take()).toEqual(['pubcomp 9 0x92']);
    const older = new Client(V4);
    older.inbound.release(9);
    expect(older.output.take()).toEqual(['pubcomp 9 0x00']);
  });

  it('may use a packet id anew after a refusal [MQTT-4.3.3-9]', () => {
    const client = new Client();
    client.publish(5, 2);
    client.complete(0, REASON.quotaExceeded);
    client.publish(5, 2);
    expect(client.output.take()).toEqual(['taken t5', 'pubrec 5 0x97', 'taken t5']);
  });

  it('of a durable session is forgotten by the store before PUBCOMP', () => {
    const client = new Client(V5, { ...DURABLE, receivedPacketIds: [5] });
    client.publish(5, 2);
    client.inbound.release(5);
    client.inbound.release(5);
    expect(client.output.take()).toEqual(['duplicate', 'pubrec 5 0x00', 'forget 5']);
    client.inbound.forgotten(5);
    client.inbound.forgotten(5);
    expect(client.output.take()).toEqual(['pubcomp 5 0x00']);
  });

  it('is not taken twice when the client comes back before responsibility is taken', () => {
    const client = new Client(V5, DURABLE);
    client.publish(5, 2);
    client.inbound.detach();
    client.inbound.attach(V5, DURABLE);
    client.publish(5, 2, 60_000);
    expect(client.output.take()).toEqual(['taken t5', 'duplicate']);
    client.inbound.giveUp(60_000);
    client.complete(0);
    expect(client.output.take()).toEqual(['pubrec 5 0x00']);
  });

  it('is not taken twice when responsibility is taken while the client is away', () => {
    const client = new Client(V5, DURABLE);
    client.publish(5, 2);
    client.inbound.detach();
    client.complete(0);
    // The record was read before the packet id was written to it.
    client.inbound.attach(V5, DURABLE);
    client.publish(5, 2);
    expect(client.output.take()).toEqual(['taken t5', 'duplicate', 'pubrec 5 0x00']);
  });

  it('of a durable session ends the connection when responsibility takes too long, for the store knows its packet id', () => {
    const client = new Client(V5, DURABLE);
    client.publish(5, 2);
    client.inbound.giveUp(1);
    expect(client.output.take()).toEqual(['taken t5', 'close 0x97']);
  });

  it('that a former owner has begun is taken once more, or released at once', () => {
    const begun = { ...DURABLE, receiving: [{ packetId: 5 }, { packetId: 6 }] };
    const client = new Client(V5, begun);
    client.publish(5, 2);
    client.complete(0);
    client.inbound.release(6);
    expect(client.output.take()).toEqual(['taken t5', 'pubrec 5 0x00', 'forget 6']);
    client.inbound.forgotten(6);
    client.inbound.release(6);
    expect(client.output.take()).toEqual(['pubcomp 6 0x00', 'pubcomp 6 0x92']);
  });

  it('of a client that cannot be refused stays open when responsibility takes too long', () => {
    const client = new Client(V4, DURABLE);
    client.publish(5, 2);
    client.inbound.giveUp(1);
    expect(client.output.take()).toEqual(['taken t5', 'close 0x97']);
    client.inbound.detach();
    client.inbound.attach(V4, DURABLE);
    client.publish(5, 2);
    client.complete(0);
    expect(client.output.take()).toEqual(['duplicate', 'pubrec 5 0x00']);
  });
});

describe('Receive Maximum', () => {
  it('ends the connection of an MQTT 5 client that exceeds it [MQTT-3.3.4-7]', () => {
    const client = new Client();
    for (const packetId of [1, 2, 3, 4]) client.publish(packetId);
    expect(client.output.take()).toEqual(['taken t1', 'taken t2', 'taken t3', 'close 0x93']);
  });

  it('counts QoS 2 until PUBCOMP, each message once', () => {
    const client = new Client();
    client.publish(1, 2);
    client.publish(2, 2);
    client.complete(1);
    client.publish(3, 2);
    client.complete(0);
    client.complete(2);
    client.output.take();
    client.inbound.release(1);
    client.publish(4);
    client.publish(5);
    expect(client.output.take()).toEqual(['pubcomp 1 0x00', 'taken t4', 'close 0x93']);
  });

  it('begins anew with a connection: PUBREL sent again is not counted [MQTT-4.9.0-1]', () => {
    const client = new Client(V5, { ...DURABLE, receivedPacketIds: [11, 12, 13] });
    for (const packetId of [1, 2, 3]) client.publish(packetId);
    expect(client.output.take()).toEqual(['taken t1', 'taken t2', 'taken t3']);
    for (const packetId of [11, 12, 13]) {
      client.inbound.release(packetId);
      client.inbound.forgotten(packetId);
    }
    client.complete(0);
    client.output.take();
    for (const packetId of [4, 5, 6]) client.publish(packetId);
    expect(client.output.take()).toContain('taken t4');
  });

  it('holds the socket of an older client until half is acknowledged', () => {
    const client = new Client(V4);
    for (const packetId of [1, 2, 3, 4]) client.publish(packetId);
    client.publish(5);
    expect(client.output.take().filter((line) => !line.startsWith('taken'))).toEqual(['hold']);
    client.complete(0);
    client.complete(1);
    expect(client.output.take()).toEqual(['puback 1 0x00', 'puback 2 0x00']);
    client.complete(2);
    expect(client.output.take()).toEqual(['puback 3 0x00', 'go on']);
  });
});

describe('topic aliases', () => {
  const publish = (client: Client, topic: string, topicAlias: number): void => {
    const packet: PublishPacket = publishPacket(topic, '', { properties: { topicAlias } });
    client.inbound.publish(packet, 0);
  };

  it('stand for the topic they were last set to, and stay on this side [MQTT-3.3.2-12]', () => {
    const client = new Client();
    publish(client, 'one', 1);
    publish(client, 'two', 2);
    publish(client, '', 1);
    publish(client, 'three', 1);
    publish(client, '', 1);
    const topics = client.output.published.map(({ topic }) => topic);
    expect(topics).toEqual(['one', 'two', 'one', 'three', 'three']);
    for (const { properties } of client.output.published) {
      expect(properties?.topicAlias).toBeUndefined();
    }
  });

  it('are refused where none are allowed [MQTT-3.2.2-18]', () => {
    const client = new Client({ ...V5, topicAliasMaximum: 0 });
    publish(client, 'one', 1);
    expect(client.output.take()).toEqual(['close 0x94']);
  });

  it('are refused above the maximum, when unknown, and after the connection [MQTT-3.3.2-7]', () => {
    const above = new Client();
    publish(above, 'one', 3);
    expect(above.output.take()).toEqual(['close 0x94']);
    const unknown = new Client();
    publish(unknown, '', 1);
    expect(unknown.output.take()).toEqual(['close 0x94']);
    const former = new Client();
    publish(former, 'one', 1);
    former.inbound.detach();
    former.inbound.attach(V5, undefined);
    former.output.take();
    publish(former, '', 1);
    expect(former.output.take()).toEqual(['close 0x94']);
  });
});
