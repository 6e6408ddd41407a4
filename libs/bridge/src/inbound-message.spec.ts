import { describe, expect, it } from '@jest/globals';
import { inboundRule } from '#libs/testkit';
import { InboundMessages, RecordError } from './inbound-message.ts';
import type { RecordSource } from './placeholders.ts';

const RULE = inboundRule({
  qos: '${headers.qos}',
  retain: '${headers.retain}',
  expirySeconds: '${headers.ttl}',
  contentType: '${headers.type}',
  responseTopic: '${headers.reply}',
  correlationData: '${headers.id}',
  userProperties: { tenant: '${headers.tenant}', origin: 'kafka/${partition}' },
});
const LIMITS = { topicLevelsMax: 4, packetBytesMax: 70_000, retainedMessageBytesMax: 500 };

function source(headers: Readonly<Record<string, string | Buffer>>): RecordSource {
  const record = {
    offset: '7',
    key: Buffer.from('d1'),
    value: Buffer.from('now'),
    headers,
    timestamp: '0',
  };
  return { topic: 'commands', partition: 2, record };
}

describe('InboundMessages', () => {
  const messages = new InboundMessages(RULE, LIMITS);

  it('takes everything that PUBLISH can carry from key and headers', () => {
    const id = Buffer.from([0xff, 0x00]);
    const headers = { qos: '2', retain: 'true', ttl: '60', type: 'a/b', reply: 'r/1', tenant: 't' };
    expect(messages.message(source({ ...headers, id }))).toEqual({
      topic: 'devices/d1',
      payload: Buffer.from('now'),
      qos: 2,
      retain: true,
      properties: {
        messageExpiryInterval: 60,
        contentType: 'a/b',
        responseTopic: 'r/1',
        correlationData: id,
        userProperties: [
          ['tenant', 't'],
          ['origin', 'kafka/2'],
        ],
      },
    });
  });

  it('leaves out what comes out empty', () => {
    const plain = new InboundMessages({ ...RULE, userProperties: {} }, LIMITS);
    expect(plain.message(source({}))).toEqual({
      topic: 'devices/d1',
      payload: Buffer.from('now'),
      qos: 1,
      retain: false,
    });
    expect(messages.filter).toBe('devices/#');
  });

  it.each([
    [{ qos: '3' }, 'qos: is not 0, 1 or 2'],
    [{ retain: 'yes' }, 'retain: is not true or false'],
    [{ ttl: '1.5' }, 'expirySeconds: is not a number of seconds'],
    [{ ttl: '4294967296' }, 'expirySeconds: is not a number of seconds'],
    [{ type: 'a\0' }, 'contentType: is too long or has a NUL'],
    [{ tenant: 'x'.repeat(65_536) }, 'userProperties.tenant: is too long or has a NUL'],
    [{ id: 'x'.repeat(65_536) }, 'correlationData: is too long'],
    [{ reply: 'a/#' }, 'responseTopic: is not a topic name'],
  ])('makes no message of a record that the protocol could not carry: %#', (headers, detail) => {
    const make = (): unknown => messages.message(source(headers));
    expect(make).toThrow(RecordError);
    expect(make).toThrow(detail);
  });
});
