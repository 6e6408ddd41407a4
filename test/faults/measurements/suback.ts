import { until } from '#libs/testkit';
import { FaultCluster } from '../fault-cluster.ts';
import { expectThat, percentile, rounded, timed, type Measurement } from './measurement.ts';
import { Peer } from './peer.ts';

const ROUNDS = 2_000;
const ARRIVAL_DEADLINE_MS = 10_000;
const PAYLOAD = Buffer.from('now');

/** Subscribes on one node and publishes on another at once after SUBACK, again and again. */
export const subackMeasurement: Measurement = {
  name: 'suback',
  title: '2,000 times: subscribe on one node, publish on another at once after SUBACK',
  measure: async (scope, findings) => {
    const { nodes } = await FaultCluster.start(scope);
    const peers: Peer[] = [];
    const received = new Set<string>();
    for (const [index, { port }] of nodes.entries()) {
      const subscriber = await Peer.open(scope, port, { clientId: `subscriber-${String(index)}` });
      subscriber.onMessage = ({ topic }) => received.add(topic);
      peers.push(
        subscriber,
        await Peer.open(scope, port, { clientId: `publisher-${String(index)}` }),
      );
    }
    const subscribeMs: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const home = round % nodes.length;
      const away = (home + 1 + (round % 2)) % nodes.length;
      const topic = `suback/${String(round)}`;
      subscribeMs.push(await timed(async () => peers[2 * home]?.subscribe([topic])));
      await peers[2 * away + 1]?.publish({ topic, payload: PAYLOAD });
    }
    await until(() => received.size === ROUNDS, ARRIVAL_DEADLINE_MS).catch(() => undefined);
    expectThat(findings, received.size === ROUNDS, `${String(ROUNDS - received.size)} are missing`);
    Object.assign(findings.figures, {
      rounds: ROUNDS,
      received: received.size,
      subackP50Ms: rounded(percentile(subscribeMs, 0.5)),
      subackP99Ms: rounded(percentile(subscribeMs, 0.99)),
    });
  },
};
