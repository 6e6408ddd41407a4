export { KafkaBridge, type KafkaBridgeOptions, type KafkaSettings } from './kafka-bridge.ts';
export {
  KafkaError,
  type ConsumedRecord,
  type ConsumeHandler,
  type ConsumeSource,
  type Consumption,
  type KafkaPort,
  type KafkaRecord,
  type RecordBatch,
} from './kafka-port.ts';
export type { InboundLimits } from './inbound-rule.ts';
export { ruleFault } from './rule-fault.ts';
