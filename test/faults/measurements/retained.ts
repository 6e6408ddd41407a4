import { setTimeout as delay } from 'node:timers/promises';
import { until } from '#libs/testkit';
import { FaultCluster } from '../fault-cluster.ts';
import { expectThat, percentile, rounded, timed, type Measurement } from './measurement.ts';
import { Peer, type Outgoing } from './peer.ts';
import { RedisProbe } from './redis-probe.ts';

const RETAINED = 500_000;
const MATCHED = 100;
const ANSWER_MS_MAX = 50;
const ROUNDS = 11;
const DEADLINE_MS = 120_000;
const PAYLOAD = Buffer.alloc(32, 'r');
/** What a retained message of this kind takes on the way from Redis at most, frame and properties included. */
const MESSAGE_BYTES_MAX = 256;
/** What Redis does anyway in a second: leases, streams, INFO. */
const IDLE_MS = 1_000;

/** Subscribes to 100 of 500,000 retained messages. */
export const retainedMeasurement: Measurement = {
  name: 'retained',
  title: 'a wildcard that matches 100 of 500,000 retained messages',
  measure: async (scope, findings) => {
    const cluster = await FaultCluster.start(scope);
    const probe = new RedisProbe(scope, cluster.redis.url);
    const publisher = await Peer.open(scope, cluster.node(0).port, { clientId: 'publisher' });
    const publishMs = await timed(() => publisher.publishAll(messages()));
    const reader = cluster.node(1);
    await until(
      async () => (await reader.ops.metric('skein_broker_retained_messages')) === RETAINED,
      DEADLINE_MS,
    );
    const answersMs: number[] = [];
    let readBytes = 0;
    let calls = '';
    for (let round = 0; round < ROUNDS; round += 1) {
      const subscriber = await Peer.open(scope, reader.port, { clientId: `r-${String(round)}` });
      let received = 0;
      const all = new Promise<void>((resolve) => {
        subscriber.onMessage = ({ retain }) => {
          received += retain ? 1 : 0;
          if (received === MATCHED) resolve();
        };
      });
      const idleBytes = await bytesWhile(probe, () => delay(IDLE_MS));
      await probe.redis.config('RESETSTAT');
      let answerMs = 0;
      const bytes = await bytesWhile(probe, async () => {
        answerMs = await timed(async () => {
          await subscriber.subscribe([`retained/${String(round * 7)}/+`]);
          await Promise.race([all, delay(DEADLINE_MS, undefined, { ref: false })]);
        });
      });
      answersMs.push(answerMs);
      readBytes = Math.max(readBytes, bytes - (idleBytes * answerMs) / IDLE_MS);
      const counted = await probe.calls();
      calls = [...counted].map(([name, count]) => `${name} ${String(count)}`).join(' ');
      await delay(1);
      expectThat(findings, received === MATCHED, `${String(received)} retained messages came`);
      await subscriber.leave();
    }
    const p50 = percentile(answersMs, 0.5);
    expectThat(findings, p50 < ANSWER_MS_MAX, `the answer takes ${p50.toFixed(0)} ms`);
    const isFrugal = readBytes <= MATCHED * MESSAGE_BYTES_MAX;
    expectThat(findings, isFrugal, `${String(readBytes)} bytes were read from Redis`);
    Object.assign(findings.figures, {
      retained: RETAINED,
      matched: MATCHED,
      answerFirstMs: rounded(answersMs[0] ?? 0),
      answerP50Ms: rounded(p50),
      answerWorstMs: rounded(Math.max(...answersMs)),
      readFromRedisBytes: Math.round(readBytes),
      redisCalls: calls,
      retainedPublishedPerS: Math.round((RETAINED * 1_000) / publishMs),
    });
  },
};

function* messages(): Generator<Outgoing> {
  for (let index = 0; index < RETAINED; index += 1) {
    const group = String(Math.floor(index / MATCHED));
    yield { topic: `retained/${group}/${String(index)}`, payload: PAYLOAD, retain: true };
  }
}

async function bytesWhile(probe: RedisProbe, work: () => Promise<unknown>): Promise<number> {
  const before = await probe.sentBytes();
  await work();
  return (await probe.sentBytes()) - before;
}
