import type { SinkFactory, SinkRule, SourceFactory } from '#libs/bridge';
import type { KafkaConnector, Log } from '#libs/broker-ports';
import { RegistryClient, ValueDecoder, ValueEncoder } from '#libs/schema-registry';
import { kafkaAccess, type ReadSecret } from './kafka-access.ts';
import { KafkaSink, type KafkaSchemas } from './kafka-sink.ts';
import { KafkaSource } from './kafka-source.ts';
import { kafkaTopicFault } from './kafka-topic.ts';
import { kafkajsClient } from './kafkajs-client.ts';

/** Makes the sinks of a node that lead to Kafka. */
export function kafkaSinks(nodeId: string, readSecret: ReadSecret): SinkFactory<'kafka'> {
  return {
    kind: 'kafka',
    targetFault: kafkaTopicFault,
    open: (connector, rule, log) => {
      const owner = { ruleId: rule.id, log };
      const kafka = clientOf({ nodeId, readSecret }, connector, owner);
      return new KafkaSink(kafka, connector, kafkaSchemas(connector, rule, { readSecret, log }));
    },
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
    reader: ({ schemaRegistry }, { schema }) =>
      schemaRegistry === undefined || schema === undefined
        ? undefined
        : new ValueDecoder({
            client: new RegistryClient(schemaRegistry, readSecret),
            format: schema.format,
            clock: () => performance.now(),
          }),
  };
}

function kafkaSchemas(
  { schemaRegistry }: KafkaConnector,
  { id, schema, deadLetterTopic: plainTopic }: SinkRule,
  { readSecret, log }: { readonly readSecret: ReadSecret; readonly log: Log },
): KafkaSchemas {
  if (schemaRegistry === undefined) return {};
  const client = new RegistryClient(schemaRegistry, readSecret);
  const test = async (): Promise<string> => `takes ${(await client.types()).join(', ')}`;
  if (schema === undefined) return { test };
  const { refreshMs } = schemaRegistry;
  const clock = (): number => performance.now();
  const encoder = new ValueEncoder({ client, schema, refreshMs, ruleId: id, clock, log });
  return { test, encoder, plainTopic };
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
