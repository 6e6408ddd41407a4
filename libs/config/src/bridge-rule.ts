import { z } from 'zod';

const id = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/)
  .meta({ expects: '1 to 64 letters, digits, dots, underscores or hyphens' });
const text = (expects: string) => z.string().min(1).max(1_024).meta({ expects });

const mqttToKafka = z.strictObject({
  id,
  direction: z.literal('mqtt-to-kafka'),
  enabled: z.boolean().default(true),
  filter: text('an MQTT topic filter'),
  topic: text('a template of a Kafka topic'),
  key: text('a template of a record key').default('${clientId}'),
  headers: z
    .record(z.string().min(1).max(256), z.string().max(1_024))
    .default({})
    .meta({ expects: 'a map of header names to templates' }),
  ack: z.enum(['none', 'kafka']).default('kafka'),
});

const kafkaToMqtt = z.strictObject({
  id,
  direction: z.literal('kafka-to-mqtt'),
  enabled: z.boolean().default(true),
  topic: text('a Kafka topic'),
  mqttTopic: text('a template of an MQTT topic'),
  qos: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(1),
  retain: z.boolean().default(false),
});

/** A bridge rule as the file states it; the output has the shape of the port's BridgeRule. */
export const bridgeRule = z.discriminatedUnion('direction', [mqttToKafka, kafkaToMqtt]);

/** Every key a rule of either direction may have. */
export const BRIDGE_RULE_KEYS: readonly string[] = [
  ...new Set([...Object.keys(mqttToKafka.shape), ...Object.keys(kafkaToMqtt.shape)]),
];
