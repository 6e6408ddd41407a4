import type { SinkFactory, SourceFactory } from '#libs/bridge';
import type { KafkaConnector, Log } from '#libs/broker-ports';
import { kafkaAccess, type ReadSecret } from './kafka-access.ts';
import { KafkaSink } from './kafka-sink.ts';
import { KafkaSource } from './kafka-source.ts';
import { kafkaTopicFault } from './kafka-topic.ts';
import { kafkajsClient } from './kafkajs-client.ts';

/** Makes the sinks of a node that lead to Kafka. */
export function kafkaSinks(nodeId: string, readSecret: ReadSecret): SinkFactory<'kafka'> {
  return {
    kind: 'kafka',
    targetFault: kafkaTopicFault,
    open: (connector, ruleId, log) =>
      new KafkaSink(clientOf({ nodeId, readSecret }, connector, { ruleId, log }), connector),
  };
}

/** Makes the sources of a node that consume from Kafka. */
export function kafkaSources(nodeId: string, readSecret: ReadSecret): SourceFactory<'kafka'> {
  return {
    kind: 'kafka',
    topicFault: kafkaTopicFault,
    open: (connector, { id, topic }, { handler, log }) =>
      new KafkaSource({
        kafka: clientOf({ nodeId, readSecret }, connector, { ruleId: id, log }),
        groupId: `${connector.clientId}-${id}`,
        topic,
        handler,
      }),
  };
}

function clientOf(
  { nodeId, readSecret }: { readonly nodeId: string; readonly readSecret: ReadSecret },
  connector: KafkaConnector,
  owner: { readonly ruleId: string; readonly log: Log },
) {
  const { brokers, clientId } = connector;
  const access = kafkaAccess(connector, readSecret);
  return kafkajsClient({ brokers, clientId: `${clientId}-${nodeId}`, access, ...owner });
}
