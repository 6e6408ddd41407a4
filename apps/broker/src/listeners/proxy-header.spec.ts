import { describe, expect, it } from '@jest/globals';
import { readProxyHeader } from './proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const line = (text: string) => readProxyHeader(Buffer.from(`${text}\r\n`));
const block = (hex: string) => readProxyHeader(Buffer.from(SIGNATURE + hex, 'hex'));

describe('version 1', () => {
  it('tells the address of the client, written in one way', () => {
    const addressOf = (text: string) => {
      const header = line(text);
      return header.kind === 'complete' ? header.address : header.kind;
    };

    expect(addressOf('PROXY TCP4 192.0.2.7 10.0.0.1 56324 443')).toBe('192.0.2.7');
    expect(addressOf('PROXY TCP6 2001:DB8:0:0::7 ::1 56324 443')).toBe('2001:db8::7');
    expect(addressOf('PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2')).toBe('192.0.2.7');
    expect(addressOf('PROXY UNKNOWN')).toBeUndefined();
    expect(addressOf('PROXY UNKNOWN ffff::1 ffff::2 65535 65535')).toBeUndefined();
  });

  it.each([
    'PROXY',
    'PROXY TCP4',
    'PROXY TCP4 192.0.2.256 10.0.0.1 1 2',
    'PROXY TCP4 192.0.2.07 10.0.0.1 1 2',
    'PROXY TCP4 ::1 ::1 1 2',
    'PROXY TCP6 192.0.2.7 10.0.0.1 1 2',
    'PROXY TCP6 1::2::3 ::1 1 2',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3',
    'PROXY TCP4  192.0.2.7 10.0.0.1 1 2',
    'PROXY UDP4 192.0.2.7 10.0.0.1 1 2',
    'PROXY UNKNOWN\n',
    'proxy TCP4 192.0.2.7 10.0.0.1 1 2',
  ])('is not %j', (text) => {
    expect(line(text)).toEqual({ kind: 'faulty' });
  });

  it('is a line of at most 107 bytes', () => {
    const long = `PROXY UNKNOWN ${'x'.repeat(91)}`;

    expect(readProxyHeader(Buffer.from(`${long}\r\n`))).toEqual({ kind: 'complete', bytes: 107 });
    expect(readProxyHeader(Buffer.from(`${long}x\r\n`))).toEqual({ kind: 'faulty' });
    expect(readProxyHeader(Buffer.from(`${long}xy`))).toEqual({ kind: 'faulty' });
  });
});

describe('version 2', () => {
  const V4 = 'c0000207' + '0a000001' + '0001' + '01bb';
  const V6 = '20010db8000000000000000000000007' + '0'.repeat(32) + '0001' + '01bb';

  it('tells the address of the client', () => {
    expect(block(`2111000c${V4}`)).toEqual({ kind: 'complete', bytes: 28, address: '192.0.2.7' });
    expect(block(`21210024${V6}`)).toEqual({ kind: 'complete', bytes: 52, address: '2001:db8::7' });
    const mapped = `${'0'.repeat(20)}ffffc0000207${V6.slice(32)}`;
    expect(block(`21210024${mapped}`)).toMatchObject({ address: '192.0.2.7' });
  });

  it('may be about the connection of the proxy itself, or say nothing', () => {
    expect(block('20000000')).toEqual({ kind: 'complete', bytes: 16 });
    expect(block(`2011000c${V4}`)).toEqual({ kind: 'complete', bytes: 28 });
    expect(block('21000000')).toEqual({ kind: 'complete', bytes: 16 });
    expect(block(`213100d8${'00'.repeat(216)}`)).toEqual({ kind: 'complete', bytes: 232 });
  });

  it.each([
    ['another version', '3111000c'],
    ['another command', '2211000c'],
    ['a datagram', `2112000c${V4}`],
    ['an address that is cut', '2111000400000000'],
    ['an IPv6 address in the room of an IPv4 one', `2121000c${V4}`],
    ['more than 4,096 bytes', '2111fff0'],
  ])('is not %s', (_, hex) => {
    expect(block(hex)).toEqual({ kind: 'faulty' });
  });
});

it('is not what clients send by themselves', () => {
  const connect = Buffer.from('101000044d5154540402003c000473656c66', 'hex');
  const hello = Buffer.from('1603010200010001fc0303', 'hex');
  for (const data of [connect, hello, Buffer.from('GET /mqtt HTTP/1.1\r\n')]) {
    expect(readProxyHeader(data)).toEqual({ kind: 'faulty' });
  }
});
