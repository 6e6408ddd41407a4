import { describe, expect, it } from '@jest/globals';
import { messageOf } from '#libs/testkit';
import { Expression } from './expression.ts';
import { TransformFault } from './faults.ts';
import { MessageDocument } from './message-document.ts';

const evaluate = (source: string, message: Parameters<typeof messageOf>[0]): unknown => {
  const result = new Expression(source, { field: 'value' }).bytes(
    new MessageDocument(messageOf(message), () => 'bob'),
  );
  return result instanceof TransformFault ? result : result.toString();
};

describe('the document of a message', () => {
  it('has the fields that are documented', () => {
    const message = {
      topic: 'a//b',
      publisher: 'c1',
      qos: 1 as const,
      retain: true,
      source: { nodeId: 'n1', incarnation: 1 },
      receivedAtMs: 5,
      payload: Buffer.from('{"t":1}'),
      properties: {
        contentType: 'application/json',
        responseTopic: 'reply',
        correlationData: new Uint8Array([1, 2]),
        userProperties: [
          ['site', 'x'],
          ['tag', 'a'],
          ['tag', 'b'],
          ['__proto__', 'polluted'],
          ['tupleStream', 'y'],
        ] as [string, string][],
      },
    };
    expect(JSON.parse(String(evaluate('$', message)))).toEqual({
      topic: 'a//b',
      levels: ['a', '', 'b'],
      clientId: 'c1',
      username: 'bob',
      qos: 1,
      retain: true,
      node: 'n1',
      receivedAt: 5,
      payload: { t: 1 },
      payloadText: '{"t":1}',
      payloadBase64: 'eyJ0IjoxfQ==',
      payloadBytes: 7,
      contentType: 'application/json',
      responseTopic: 'reply',
      correlationData: 'AQI=',
      userProperties: { site: 'x', tag: ['a', 'b'] },
    });
  });

  it.each([
    ['text', 'PAYLOAD_NOT_JSON'],
    ['{"a":1}}', 'PAYLOAD_NOT_JSON'],
    ['{"a":1e999}', 'PAYLOAD_REFUSED'],
    [`${'['.repeat(100)}1${']'.repeat(100)}`, 'PAYLOAD_REFUSED'],
    [`${'['.repeat(300_000)}${']'.repeat(300_000)}`, 'PAYLOAD_REFUSED'],
    [`"${'x'.repeat(1_100_000)}"`, 'PAYLOAD_REFUSED'],
    ['{"a":{"__proto__":{"polluted":1}}}', 'PAYLOAD_REFUSED'],
    ['[{"_jsonata_lambda":true,"body":{}}]', 'PAYLOAD_REFUSED'],
    ['{"\\u005fjsonata_function":true}', 'PAYLOAD_REFUSED'],
    ['{"tupleStream":true,"__evaluate_entry":0}', 'PAYLOAD_REFUSED'],
    ['{"outerWrapper":true}', 'PAYLOAD_REFUSED'],
  ])('%.40j is no payload for expressions: %s', (payload, code) => {
    expect(evaluate('payload', { payload: Buffer.from(payload) })).toMatchObject({
      stage: 'payload',
      code,
    });
  });

  it('reads the payload only when the expression comes to it', () => {
    const message = { payload: new Uint8Array([0xff]), qos: 0 as const };
    expect(evaluate('qos = 1 and payload.a', message)).toBe('false');
    expect(evaluate('qos = 1 ? payloadText : payloadBase64', message)).toBe('/w==');
    expect(evaluate('qos = 0 and payload.a', message)).toMatchObject({ stage: 'payload' });
    expect(evaluate('payloadText', message)).toMatchObject({ code: 'PAYLOAD_NOT_TEXT' });
  });

  it('has no payload when the message is empty', () => {
    expect(evaluate('$exists(payload)', { payload: new Uint8Array(0) })).toBe('false');
  });

  it('parses the payload once for all expressions', () => {
    const payload = Buffer.from('{"t":1}');
    const document = new MessageDocument(messageOf({ payload }));
    const expression = new Expression('payload.t', { field: 'value' });
    expect(expression.bytes(document)).toEqual(Buffer.from('1'));
    payload.write('{"t":2}');
    expect(expression.bytes(document)).toEqual(Buffer.from('1'));
  });
});
