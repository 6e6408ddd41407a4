import type { SinkFactory, SourceFactory } from '#libs/bridge';
import type { KafkaConnector, Log } from '#libs/broker-ports';
import { KafkaSink } from './kafka-sink.ts';
import { KafkaSource } from './kafka-source.ts';
import { kafkaTopicFault } from './kafka-topic.ts';
import { kafkajsClient } from './kafkajs-client.ts';

/** Makes the sinks of a node that lead to Kafka. */
export function kafkaSinks(nodeId: string): SinkFactory<'kafka'> {
  return {
    kind: 'kafka',
    targetFault: kafkaTopicFault,
    open: (connector, ruleId, log) =>
      new KafkaSink(clientOf(nodeId, connector, { ruleId, log }), connector.compression),
  };
}

/** Makes the sources of a node that consume from Kafka. */
export function kafkaSources(nodeId: string): SourceFactory<'kafka'> {
  return {
    kind: 'kafka',
    topicFault: kafkaTopicFault,
    open: (connector, { id, topic }, { handler, log }) =>
      new KafkaSource({
        kafka: clientOf(nodeId, connector, { ruleId: id, log }),
        groupId: `${connector.clientId}-${id}`,
        topic,
        handler,
      }),
  };
}

function clientOf(
  nodeId: string,
  { brokers, clientId }: KafkaConnector,
  owner: { readonly ruleId: string; readonly log: Log },
) {
  return kafkajsClient({ brokers, clientId: `${clientId}-${nodeId}`, ...owner });
}
