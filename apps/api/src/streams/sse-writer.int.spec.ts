import { createServer, get, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { SseWriter } from './sse-writer.ts';

let server: Server;
let responded: Promise<ServerResponse>;

beforeEach(async () => {
  responded = new Promise((resolve) => {
    server = createServer((_request, response) => resolve(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
});

async function asked() {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const request = get({ host: '127.0.0.1', port });
  request.on('error', () => undefined);
  return { request, response: await responded };
}

it('a reader who left before the stream began has none', async () => {
  const { request, response } = await asked();
  const closed = new Promise((resolve) => response.once('close', resolve));
  request.destroy();
  await closed;
  const writer = new SseWriter(response);
  expect(writer.isOpen).toBe(false);
  await writer.ended;
  await writer.send([{ event: 'x', data: 1 }]);
});

it('a reader who leaves later ends it', async () => {
  const { request, response } = await asked();
  const writer = new SseWriter(response);
  expect(writer.isOpen).toBe(true);
  request.destroy();
  await writer.ended;
  expect(writer.isOpen).toBe(false);
});
