import type { Admin, ITopicConfig } from 'kafkajs';
import { until } from './until.ts';

const DEADLINE_MS = 30_000;

/**
 * Makes topics, and waits until every partition of them serves.
 *
 * @remarks A broker names the leader of a partition before that has its log. A request that comes between is refused for this
 * partition alone, and a client that repeats the whole of it writes the records of the others twice.
 */
export async function makeTopics(admin: Admin, topics: readonly ITopicConfig[]): Promise<void> {
  await admin.createTopics({ topics: [...topics], waitForLeaders: false });
  for (const { topic } of topics) await until(() => admin.fetchTopicOffsets(topic), DEADLINE_MS);
}
