import { describe, expect, it } from '@jest/globals';
import { decodeRecord, encodeRecord } from './spool-record.ts';

const RECORD = {
  target: 'telemetry',
  key: Buffer.from('d1'),
  value: Buffer.from('21'),
  headers: { 'mqtt-topic': 'a/b', 'correlation-data': Buffer.of(0, 255), 'up.x': ['1', 'é'] },
  timestampMs: 5,
};

describe('a record in the spool', () => {
  it('comes back as it was, with the time of its entry', () => {
    expect(decodeRecord(encodeRecord(RECORD), 5)).toEqual(RECORD);
    const named = { ...RECORD, lane: 7, route: 'a.b' };
    expect(decodeRecord(encodeRecord(named), 5)).toEqual(named);
  });

  it('has the bytes it always had: spools outlive versions', () => {
    expect(
      encodeRecord({ ...RECORD, headers: { 'mqtt-topic': 'a', x: ['y'] } }).toString('hex'),
    ).toBe(
      [
        '01',
        '00000009' + Buffer.from('telemetry').toString('hex'),
        '000000026431',
        '000000023231',
        'bff0000000000000',
        '00',
        '00000002',
        '010000000001' + '61',
        '000000000178' + '02' + '00000001' + '0000000179',
      ].join(''),
    );
  });

  it('is nothing when a later version made it, or none', () => {
    const later = encodeRecord(RECORD);
    later[0] = 2;
    expect(decodeRecord(later, 0)).toBeUndefined();
    expect(decodeRecord(Buffer.alloc(0), 0)).toBeUndefined();
    const unknownName = encodeRecord({ ...RECORD, headers: { 'mqtt-topic': '' } });
    unknownName[unknownName.length - 6] = 99;
    expect(decodeRecord(unknownName, 0)).toBeUndefined();
  });
});
