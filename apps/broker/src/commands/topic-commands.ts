import type { NodeAnswers, TopicCommand } from '#libs/api-contracts';
import type { NodeAdmin } from '#libs/broker-ports';
import type { TopicMetrics } from '../insight/topic-metrics.ts';
import { bounded } from './bounded.ts';

/** What commands on topics work on. */
export interface TopicCommandsOptions {
  readonly admin: Pick<NodeAdmin, 'topics' | 'sharedGroups' | 'sharedMembers'>;
  readonly metrics: Pick<TopicMetrics, 'list' | 'add' | 'remove'>;
  /** How members of shared subscriptions are chosen. */
  readonly strategy: string;
}

/** Carries out what the API asks about topics. */
export async function answerOnTopics(
  { admin, metrics, strategy }: TopicCommandsOptions,
  command: TopicCommand,
): Promise<NodeAnswers[TopicCommand['kind']]> {
  switch (command.kind) {
    case 'topics':
      return admin.topics(bounded(command.query));
    case 'shared-groups':
      return { ...admin.sharedGroups(bounded(command.query)), strategy };
    case 'shared-members':
      return { members: admin.sharedMembers(command.group, bounded(command).limit) };
    case 'topic-metrics':
      return metrics.list();
    case 'add-topic-metric':
      return metrics.add(command.filter);
    case 'remove-topic-metric':
      return metrics.remove(command.id);
  }
}
