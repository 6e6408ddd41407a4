import { describe, expect, it } from '@jest/globals';
import { SlotMap, keySlot } from './slot-map.ts';

describe('the slot of a key', () => {
  // As CLUSTER KEYSLOT says.
  it.each([
    ['123456789', 12_739],
    ['foo', 12_182],
    ['{foo}bar', 12_182],
    ['a{foo}bar{x}', 12_182],
    ['{}foo', 9_500],
    ['{foo', 13_308],
    ['', 0],
    ['é😀', 14_663],
  ])('of %j is %i', (key, slot) => {
    expect(keySlot(key)).toBe(slot);
  });
});

describe('a slot map', () => {
  const asked = { host: '10.0.0.9', port: 7_000 };
  const reply = [
    [0, 8_191, ['10.0.0.1', 7_001, 'id'], ['10.0.0.2', 7_002, 'id']],
    [8_192, 16_383, ['', 7_000, 'id'], ['fd00::2', 7_002, 'id']],
  ];

  it('names the master of a key, also one that does not know its own address', () => {
    const map = new SlotMap(reply, asked);

    expect(map.isWhole).toBe(true);
    expect(map.masterOf('foo')).toBe('10.0.0.9:7000');
    expect(map.masterOf('')).toBe('10.0.0.1:7001');
    expect([...map.masters.keys()]).toEqual(['10.0.0.1:7001', '10.0.0.9:7000']);
    expect(map.nodes).toHaveLength(4);
  });

  it('knows that a part has no master', () => {
    const map = new SlotMap(reply.slice(0, 1), asked);

    expect(map.isWhole).toBe(false);
    expect(map.masterOf('foo')).toBeUndefined();
  });
});
