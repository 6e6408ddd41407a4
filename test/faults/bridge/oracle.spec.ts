import { describe, expect, it } from '@jest/globals';
import type { Publication } from '../history.ts';
import { encodeNumbers } from '../payload.ts';
import { judge, type BridgeVerdict } from './oracle.ts';
import { parseRecords, type StoredRecord } from './records.ts';

const published = (number: number, changes: Partial<Publication> = {}): Publication => ({
  publisher: 0,
  number,
  qos: 1,
  dueAtMs: number,
  sends: 1,
  acknowledgedAtMs: number + 10,
  refusal: undefined,
  ...changes,
});

/** Records of publisher 0 in one partition: the number, and after a slash which taking of the message it is. */
function partition(place: number, ...texts: readonly string[]): readonly StoredRecord[] {
  return texts.map((text, offset) => {
    const [number = '', taking = '1'] = text.split('/');
    const messageId = `n1-${number}-${taking}`;
    return {
      ...{ partition: place, offset, key: 'publisher-0', messageId },
      ...{ publisher: 0, number: Number(number) },
    };
  });
}

function verdictOf(
  publications: readonly Publication[],
  records: readonly StoredRecord[],
): Partial<BridgeVerdict> {
  const all = judge({ publications: [publications], records, faultsAtMs: [] });
  const { ackP50Ms, ackP99Ms, firstSeconds, steadySeconds, examples, ...counts } = all;
  expect(Math.min(ackP50Ms, ackP99Ms, firstSeconds, steadySeconds)).toBeGreaterThanOrEqual(0);
  const { lost, phantoms, unexplained, reorderedUnexplained } = counts;
  expect(examples).toHaveLength(lost + phantoms + unexplained + reorderedUnexplained);
  return Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== 0));
}

const THREE = [published(0), published(1), published(2)];

describe('the oracle', () => {
  it('finds nothing in a history without a fault', () => {
    const found = verdictOf(THREE, partition(0, '0', '1', '2'));
    expect(found).toEqual({ acknowledged: 3, stored: 3 });
  });

  it('finds what was acknowledged and is not in Kafka', () => {
    const found = verdictOf(THREE, partition(0, '0', '2'));
    expect(found).toEqual({ acknowledged: 3, stored: 2, lost: 1 });
  });

  it('finds records that nobody published', () => {
    const found = verdictOf(THREE, partition(0, '0', '1', '2', '3'));
    expect(found).toEqual({ acknowledged: 3, stored: 3, phantoms: 1 });
  });

  it('finds first copies that came late, and says which the client has sent again', () => {
    const found = verdictOf(THREE, partition(0, '0', '2', '1'));
    expect(found).toEqual({ acknowledged: 3, stored: 3, reordered: 1, reorderedUnexplained: 1 });
    const again = [published(0), published(1, { sends: 2 }), published(2)];
    const explained = verdictOf(again, partition(0, '0', '2', '1'));
    expect(explained).toEqual({ acknowledged: 3, stored: 3, reordered: 1 });
  });

  it('lets a key move to another partition once, and finds a message that stayed behind', () => {
    const moved = verdictOf(THREE, [...partition(0, '0', '1'), ...partition(4, '2')]);
    expect(moved).toEqual({ acknowledged: 3, stored: 3 });
    const mixed = verdictOf(THREE, [...partition(0, '0', '2'), ...partition(4, '1')]);
    expect(mixed).toEqual({ acknowledged: 3, stored: 3, reordered: 1, reorderedUnexplained: 1 });
  });

  it('tells copies that the client has sent again from copies that nobody explains', () => {
    const records = partition(0, '0/1', '0/2', '1', '2');
    const resent = verdictOf([published(0, { sends: 2 }), published(1), published(2)], records);
    expect(resent).toEqual({ acknowledged: 3, stored: 3, resent: 1 });
    expect(verdictOf(THREE, records)).toEqual({ acknowledged: 3, stored: 3, unexplained: 1 });
  });

  it('knows that a QoS 2 message which its client sends again keeps its name', () => {
    const records = partition(0, '0', '0', '1', '2');
    const resent = [published(0, { qos: 2, sends: 2 }), published(1), published(2)];
    expect(verdictOf(resent, records)).toEqual({ acknowledged: 3, stored: 3, resent: 1 });
    const once = [published(0, { qos: 2 }), published(1), published(2)];
    expect(verdictOf(once, records)).toMatchObject({ repeated: 1 });
  });

  it('counts repeats of the bridge by batch', () => {
    const records = partition(0, '0', '1', '0', '1', '0', '1', '2', '2');
    expect(verdictOf(THREE, records)).toEqual({
      ...{ acknowledged: 3, stored: 3 },
      ...{ repeated: 5, repeatedBatch: 2, repeatedBatches: 3, repeatedMost: 5 },
    });
  });

  it('counts repeats of the bridge by partition', () => {
    const others = partition(1, '0', '0').map((record) => ({ ...record, publisher: 1 }));
    const publications = [THREE, [published(0, { publisher: 1 })]];
    const records = [...partition(0, '0', '1', '2', '0', '2'), ...others];
    const found = judge({ publications, records, faultsAtMs: [] });
    expect(found).toMatchObject({ repeated: 3, repeatedMost: 2, reordered: 0 });
  });

  it('does not count what was refused as lost, in Kafka or not', () => {
    const refused = { acknowledgedAtMs: undefined, refusal: 0x83 };
    const publications = [published(0, refused), published(1, refused), published(2)];
    const found = verdictOf(publications, partition(0, '1', '2'));
    expect(found).toEqual({ acknowledged: 1, stored: 2, refused: 2, refusedStored: 1 });
  });

  it('finds messages without an answer', () => {
    const found = verdictOf([published(0, { acknowledgedAtMs: undefined })], partition(0, '0'));
    expect(found).toEqual({ stored: 1, unanswered: 1 });
  });

  it('says how long it took until all was acknowledged again, and until that was in time', () => {
    const publications = [
      published(0, { dueAtMs: 0, acknowledgedAtMs: 5 }),
      published(1, { dueAtMs: 90, acknowledgedAtMs: 1_600 }),
      published(2, { dueAtMs: 200, acknowledgedAtMs: 900 }),
    ];
    const history = { publications: [publications], records: partition(0, '0', '1', '2') };
    const { firstSeconds, steadySeconds, ackP50Ms } = judge({ ...history, faultsAtMs: [100] });
    expect({ firstSeconds, steadySeconds, ackP50Ms }).toEqual({
      ...{ firstSeconds: 0.8, steadySeconds: 1.5 },
      ackP50Ms: 700,
    });
  });
});

describe('what kcat writes', () => {
  it('is read by its lengths, whatever bytes a payload has', () => {
    // Numbers whose bytes are a bar and an end of line.
    const payload = encodeNumbers(0x7c, 0x0a7c);
    const one = [Buffer.from('2|17|publisher-124|mqtt-qos=1,mqtt-msg-id=n1-7-9|64|'), payload];
    const [first, second] = parseRecords(Buffer.concat([...one, ...one]));
    expect(first).toEqual(second);
    expect(first).toEqual({
      ...{ partition: 2, offset: 17, key: 'publisher-124', messageId: 'n1-7-9' },
      ...{ publisher: 0x7c, number: 0x0a7c },
    });
    expect(() => parseRecords(Buffer.from('2|17|k'))).toThrow('half a record');
  });
});
