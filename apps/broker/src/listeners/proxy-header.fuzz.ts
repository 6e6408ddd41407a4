import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readProxyHeader } from './proxy-header.ts';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function block(address: string, extra: Uint8Array): Buffer {
  const octets = Buffer.from([...address.split('.').map(Number), 127, 0, 0, 1, 0, 1, 0, 2]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(octets.length + extra.length);
  return Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11]), length, octets, extra]);
}

it('reads what proxies write, however it is cut, and never what follows', () => {
  const header = fc.oneof(
    fc
      .ipV4()
      .map((address) => ({ address, data: Buffer.from(`PROXY TCP4 ${address} 10.0.0.1 1 2\r\n`) })),
    fc
      .tuple(fc.ipV4(), fc.uint8Array({ maxLength: 300 }))
      .map(([address, extra]) => ({ address, data: block(address, extra) })),
  );
  fc.assert(
    fc.property(header, fc.uint8Array(), ({ address, data }, rest) => {
      for (let cut = 0; cut < data.length; cut += 1) {
        expect(readProxyHeader(data.subarray(0, cut))).toEqual({ kind: 'partial' });
      }
      const read = readProxyHeader(Buffer.concat([data, rest]));
      expect(read).toEqual({ kind: 'complete', bytes: data.length, address });
    }),
  );
});

it('never throws, and never waits beyond its bound', () => {
  const start = fc.constantFrom(
    Buffer.of(),
    Buffer.from('PROXY TCP6 '),
    Buffer.concat([SIGNATURE, Buffer.from([0x21])]),
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 5_000 }), (first, rest) => {
      const data = Buffer.concat([first, rest]);
      const { kind } = readProxyHeader(data);
      const known = ['faulty', 'complete', ...(data.length < 4_096 ? ['partial'] : [])];
      expect(known).toContain(kind);
    }),
  );
});
