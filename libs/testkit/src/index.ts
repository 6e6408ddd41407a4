export { apiStateSuite } from './api-state-suite.ts';
export { BridgeNode, BridgeNodes, SharedSink, type RuleName } from './bridge-nodes.ts';
export { countingMeter, type CountingMeter } from './counting-meter.ts';
export {
  DEAD_LETTER_BOUNDS,
  deadLetterOf,
  deadLetterStoreSuite,
} from './dead-letter-store-suite.ts';
export { delayedStoreSuite, sharedDelayedStoreSuite } from './delayed-store-suite.ts';
export { exclusiveStoreSuite } from './exclusive-store-suite.ts';
export { fakeClock, FakeClock } from './fake-clock.ts';
export { GIVEN_KAFKA, kafkaServer, type KafkaServer } from './kafka-server.ts';
export { startSecureKafka, type SecureKafka } from './secure-kafka.ts';
export { startKafka, type KafkaCluster } from './kafka-cluster.ts';
export { makeTopics } from './kafka-topics.ts';
export { RecordingLog, silentLog, type LogLine } from './logs.ts';
export {
  comparable,
  comparableQueued,
  fullMessage,
  messageOf,
  queuedOf,
  SOURCE,
} from './messages.ts';
export {
  DURABLE,
  MemoryClient,
  publishPacket,
  subscriptionRequest,
  type ClientSide,
  type PacketOf,
} from './memory-client.ts';
export { MemoryBus, MemoryCluster } from './memory-cluster.ts';
export { FleetNode, MemoryFleet } from './memory-fleet.ts';
export { MemoryHub } from './memory-hub.ts';
export { MemorySpoolStore, openMemorySpool } from './memory-spool-store.ts';
export { MemoryNode, quiet, WIDE_LIMITS, type MemoryNodeOptions } from './memory-node.ts';
export {
  messagePropertiesArbitrary,
  packetArbitrary,
  textArbitrary,
  topicArbitrary,
} from './packet-arbitrary.ts';
export { decodeHex, encodeHex, refusalOf } from './packet-hex.ts';
export { inboundRule, outboundRule } from './sample-rules.ts';
export { MockKafka, type KafkaApi, type KafkaErrorName, type MockedAnswer } from './mock-kafka.ts';
export { RecordingClusterHandler, type ReceivedFrame } from './recording-cluster-handler.ts';
export { RecordingOutput, type SentPublish } from './recording-output.ts';
export {
  freePort,
  freePorts,
  GIVEN_REDIS,
  startRedis,
  type RedisServer,
  type RedisServerOptions,
} from './redis-server.ts';
export {
  makeCertificates,
  startRedisCluster,
  startSentinels,
  tlsArgs,
  type Certificates,
  type RedisCluster,
  type RedisSentinels,
} from './redis-topologies.ts';
export { retainedMessages, retainedStoreSuite } from './retained-store-suite.ts';
export {
  connectorStoreSuite,
  definitionStoreSuite,
  ruleStoreSuite,
  type SampleDefinition,
} from './definition-store-suite.ts';
export { clientSequences, offerLoad, type OutboundLoad } from './outbound-load.ts';
export {
  SchemaRegistryServer,
  startSchemaRegistry,
  type RegistryMood,
  type RegistrySchema,
} from './schema-registry-server.ts';
export {
  sinkContract,
  type ReceivedRecord,
  type ReceiverUnderTest,
  type SinkContractOptions,
} from './sink-contract.ts';
export { ScramClient } from './scram-client.ts';
export { seededRandom } from './seeded-random.ts';
export { partialSessionStoreSuite, sessionStoreSuite } from './session-store-suite.ts';
export { spoolContract, type SpoolUnderTest } from './spool-suite.ts';
export type { StoreFactory, StoreUnderTest } from './store-under-test.ts';
export { openTcpGate, type TcpGate } from './tcp-gate.ts';
export { until } from './until.ts';
export {
  startWebhookServer,
  WebhookServer,
  type PostedRequest,
  type WebhookAnswer,
} from './webhook-server.ts';
export { startRabbitmq, type RabbitmqServer } from './rabbitmq-server.ts';
export {
  BUFFER_BYTES_MAX,
  LANES,
  LaneSink,
  numbers,
  SpoolingBridge,
  spoolingRule,
} from './spooling-bridge.ts';
export { TestAuthority, type TestCertificate, type TestSubject } from './test-authority.ts';
export { RecordingTracer, type RecordedSpan } from './recording-tracer.ts';
export { TraceCollector, traceTree, type CollectedSpan } from './trace-collector.ts';
