import { describe, expect, it } from '@jest/globals';
import { Expression } from './expression.ts';
import { TransformFault } from './faults.ts';
import { RECORDS, RecordDocument, type RecordOrigin } from './record-document.ts';

function evaluate(source: string, record: Partial<RecordOrigin['record']> = {}): unknown {
  const origin = {
    topic: 'commands',
    partition: 2,
    record: { offset: '9007199254740993', key: null, value: null, timestamp: '5', ...record },
  };
  const expression = new Expression(source, { field: 'value', kind: RECORDS });
  const result = expression.bytes(new RecordDocument(origin));
  return result instanceof TransformFault ? result : result.toString();
}

describe('the document of a record', () => {
  it('has the fields that are documented', () => {
    const record = {
      key: Buffer.from('d1'),
      value: Buffer.from('{"t":1}'),
      headers: {
        kind: Buffer.from('reboot'),
        tag: [Buffer.from('a'), 'b'],
        absent: undefined,
        tupleStream: 'x',
      },
    };
    expect(JSON.parse(String(evaluate('$', record)))).toEqual({
      topic: 'commands',
      partition: 2,
      offset: '9007199254740993',
      key: 'd1',
      keyBase64: 'ZDE=',
      timestamp: 5,
      headers: { kind: 'reboot', tag: ['a', 'b'] },
      payload: { t: 1 },
      payloadText: '{"t":1}',
      payloadBase64: 'eyJ0IjoxfQ==',
      payloadBytes: 7,
    });
  });

  it('has neither key nor payload when the record has none', () => {
    expect(evaluate('[$exists(key), $exists(keyBase64), $exists(payload), payloadBytes]')).toBe(
      '[false,false,false,0]',
    );
  });

  it('has the fields of records alone', () => {
    expect(() => evaluate('value.t > 1')).toThrow(
      /^value, character 5: records have no value; write payload, or one of topic, partition/,
    );
    expect(() => evaluate('clientId')).toThrow(/records have no clientId; write payload.clientId/);
    expect(() => evaluate('$key')).toThrow(/fields have no \$: write key/);
  });
});
