import { until } from '#libs/testkit';
import type { Client } from './client.ts';

const DEADLINE_MS = 20_000;

/** A round trip of a client that behaves, while others do not; true when it has its message. */
export async function stillServed(client: Client, topic: string): Promise<boolean> {
  await client.subscribe(topic);
  await client.publish(topic, 'still served');
  await until(() => client.received.some((message) => message.topic === topic), DEADLINE_MS);
  return true;
}
