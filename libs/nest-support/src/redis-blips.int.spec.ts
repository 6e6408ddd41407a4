import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it } from '@jest/globals';
import { openTcpGate, startRedis, until } from '#libs/testkit';

const DEADLINE_MS = 20_000;

/** A process that asks itself through Redis without end and prints `heard`; a line on its standard input ends it. */
const ASKER = `
import { createInterface } from 'node:readline';
import { NodeCommandClient, NodeCommandServer } from '#libs/nest-support';

const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const channel = { scope: 's', transport: { kind: 'redis', url: process.argv[1] } };
const handle = (text) => Promise.resolve(text);
const server = new NodeCommandServer({ channel, nodeId: 'n1', handle, answersAny: () => true, log });
const client = new NodeCommandClient({ channel, log });
await server.open();
let asking = true;
createInterface({ input: process.stdin }).once('line', () => (asking = false));
while (asking) {
  const [result] = await Promise.all([client.ask('n1', 'x', 200), client.askAny('y', 200)]);
  if (result.kind === 'reply') console.log('heard');
  await new Promise((resolve) => setImmediate(resolve));
}
await client.close();
await server.close();
process.stdin.unref();
`;

it('lives on, however often its connections are cut, and ends in order while Redis is frozen', async () => {
  const redis = await startRedis();
  const gate = await openTcpGate(redis.port);
  const url = `redis://127.0.0.1:${String(gate.port)}`;
  const flags = ['--conditions=source', '--disable-warning=ExperimentalWarning'];
  const asker = spawn(process.execPath, [...flags, '--input-type=module', '--eval', ASKER, url]);
  const ended = once(asker, 'exit');
  let heard = 0;
  let complaints = '';
  createInterface({ input: asker.stdout }).on('line', () => (heard += 1));
  asker.stderr.on('data', (chunk) => (complaints += String(chunk)));
  const isHeard = (): Promise<void> => {
    const before = heard;
    return until(() => heard > before || asker.exitCode !== null, DEADLINE_MS);
  };
  try {
    await isHeard();
    for (let blip = 0; blip < 30; blip += 1) {
      gate.shut();
      gate.open();
      // Every third time in the middle of connecting.
      if (blip % 3 > 0) await isHeard();
    }
    await redis.restart();
    await isHeard();
    // With questions under way that Redis will never see.
    redis.pause();
    asker.stdin.write('end\n');
    await ended;
    expect({ code: asker.exitCode, complaints }).toEqual({ code: 0, complaints: '' });
  } finally {
    asker.kill('SIGKILL');
    await gate.close();
    await redis.stop();
  }
}, 60_000);
