import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { until } from '#libs/testkit';
import { Broker } from '../e2e/harness/broker.ts';
import { Scope } from '../e2e/harness/scope.ts';
import { connectBytes } from './connect-bytes.ts';
import { uniqueId } from './wire.ts';

const WAIT_MS = 10_000;
const SUBSCRIBE = Buffer.from('82090001000003612f6200', 'hex');
/** To the filter of SUBSCRIBE, QoS 0. */
const PUBLISH = Buffer.from('30070003612f620078', 'hex');
const PINGREQ = Buffer.from('c000', 'hex');

const shared = new Scope();
const scope = new Scope();
let url: string;

beforeAll(async () => {
  ({ wsUrl: url } = await Broker.start(shared));
});
afterEach(() => scope.close());
afterAll(() => shared.close());

class Frames {
  readonly socket: WebSocket;
  /** Whether each frame that came was binary. */
  readonly kinds: boolean[] = [];
  bytes = Buffer.alloc(0);
  isClosed = false;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer, isBinary) => {
      this.kinds.push(isBinary);
      this.bytes = Buffer.concat([this.bytes, data]);
    });
    socket.on('close', () => (this.isClosed = true));
    socket.on('error', () => undefined);
    scope.add(() => socket.terminate());
  }

  static async open(protocols: readonly string[] = ['mqtt']): Promise<Frames> {
    const frames = new Frames(new WebSocket(url, [...protocols]));
    await once(frames.socket, 'open');
    return frames;
  }

  async has(hex: string): Promise<void> {
    await until(() => this.bytes.toString('hex').includes(hex), WAIT_MS);
  }
}

function connect(): Uint8Array {
  return connectBytes({ payload: [uniqueId()] });
}

describe('MQTT over WebSocket', () => {
  it('selects the subprotocol "mqtt" [MQTT-6.0.0-4] [MQTT3-6.0.0-4]', async () => {
    const { socket } = await Frames.open(['mqttv3.1', 'mqtt']);
    expect(socket.protocol).toBe('mqtt');
  });

  it('is refused to those who do not offer it [MQTT-6.0.0-3] [MQTT3-6.0.0-3]', async () => {
    const http = request(url.replace('ws:', 'http:'), {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.alloc(16).toString('base64'),
        'sec-websocket-protocol': 'chat',
      },
    });
    http.end();
    const [response] = (await once(http, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(400);
  });

  it('answers in binary frames [MQTT-6.0.0-1] [MQTT3-6.0.0-1]', async () => {
    const frames = await Frames.open();
    frames.socket.send(connect());
    frames.socket.send(PINGREQ);
    await frames.has('d000');
    expect(frames.kinds.every(Boolean)).toBe(true);
  });

  it('ends with a frame of another kind [MQTT-6.0.0-1] [MQTT3-6.0.0-1]', async () => {
    const frames = await Frames.open();
    frames.socket.send(connect());
    await frames.has('20');
    frames.socket.send('c000');
    await until(() => frames.isClosed, WAIT_MS);
    expect(frames.bytes.toString('hex')).not.toContain('d000');
  });

  it('hears nothing of what follows a frame of another kind [MQTT-6.0.0-1] [MQTT3-6.0.0-1]', async () => {
    const watcher = await Frames.open();
    watcher.socket.send(Buffer.concat([connect(), SUBSCRIBE]));
    await watcher.has('9004');
    const frames = await Frames.open();
    frames.socket.send(connect());
    await frames.has('20');
    frames.socket.send('c000');
    frames.socket.send(PUBLISH);
    await until(() => frames.isClosed, WAIT_MS);
    watcher.socket.send(PINGREQ);
    await watcher.has('d000');
    expect(watcher.bytes.toString('hex')).not.toContain(PUBLISH.toString('hex'));
  });

  it('takes packets wherever frames begin and end [MQTT-6.0.0-2] [MQTT3-6.0.0-2]', async () => {
    const frames = await Frames.open();
    const bytes = Buffer.concat([connect(), SUBSCRIBE, PINGREQ, PINGREQ]);
    const places = [0, 1, 5, 5, bytes.length - 3, bytes.length];
    for (const [index, start] of places.slice(0, -1).entries()) {
      frames.socket.send(bytes.subarray(start, places[index + 1]));
    }
    await frames.has('d000d000');
    expect(frames.bytes.toString('hex')).toContain('9004000100');
  });
});
