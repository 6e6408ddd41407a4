import { describe, expect, it } from '@jest/globals';
import { decodeFrame, encodeFrame, type Frame } from './frame.ts';

const batch = Buffer.from([1, 2, 3]);

describe('frames', () => {
  it.each<Frame>([
    { kind: 'routed', batch },
    { kind: 'routed', batch: Buffer.alloc(0) },
    { kind: 'directed', clientId: 'é😀', batch },
    { kind: 'grouped', group: '$share/g/é/#', batch },
    { kind: 'directed', clientId: 'x'.repeat(65_535), batch: Buffer.alloc(0) },
  ])('come back as they went: $kind', (frame) => {
    const decoded = decodeFrame(Uint8Array.from(encodeFrame(frame)));
    if (decoded === undefined || !('batch' in decoded)) throw new Error('no frame with a batch');
    expect({ ...decoded, batch: Buffer.from(decoded.batch) }).toEqual(frame);
  });

  it.each([0, 1, 1_800_000_000_000_000, Number.MAX_SAFE_INTEGER])('carry the epoch %d', (epoch) => {
    const frame = { kind: 'taken', clientId: 'é😀', epoch } as const;
    expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
  });

  it.each([1, 4_294_967_296])('carry the mark %d', (number) => {
    const frame = { kind: 'mark', number } as const;
    expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    expect(decodeFrame(encodeFrame(frame).subarray(1))).toBeUndefined();
  });

  it('are recognised whatever bytes come', () => {
    const directed = encodeFrame({ kind: 'directed', clientId: 'client', batch });
    const cut = Array.from({ length: 9 }, (_, length) => decodeFrame(directed.subarray(0, length)));
    expect(cut).toEqual(cut.map(() => undefined));
    const taken = encodeFrame({ kind: 'taken', clientId: 'client', epoch: 5 });
    for (let length = 0; length < taken.length; length += 1) {
      expect(decodeFrame(taken.subarray(0, length))).toBeUndefined();
    }
    expect(decodeFrame(Buffer.concat([taken, Buffer.alloc(1)]))).toBeUndefined();
    for (const kind of [0, 5, 6, 255]) {
      expect(decodeFrame(Uint8Array.of(kind, 0, 0))).toBeUndefined();
    }
    expect(decodeFrame(Uint8Array.of(2, 0, 2, 0xff, 0xfe))).toMatchObject({ kind: 'directed' });
  });
});
