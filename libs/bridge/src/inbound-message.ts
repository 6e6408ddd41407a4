import type { InjectedMessage, KafkaToMqttRule } from '#libs/broker-ports';
import type { PublishProperties, QoS } from '#libs/mqtt-codec';
import { topicNameFault } from '#libs/topic-index';
import { recordPlaceholder, type RecordSource } from './placeholders.ts';
import { Template } from './template.ts';

/** What a record may become, as for messages of clients. */
export interface InboundLimits {
  readonly topicLevelsMax: number;
  /** Most bytes of topic and payload together. */
  readonly packetBytesMax: number;
  readonly retainedMessageBytesMax: number;
}

/** A record that no message can be made of. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
  readonly code: 'invalid_topic' | 'too_large' | 'template_error' | 'schema_error';

  constructor(code: RecordError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

type RecordTemplate = Template<RecordSource>;

const TEXT_BYTES_MAX = 65_535;
const EXPIRY_SECONDS_MAX = 0xff_ff_ff_ff;
const NO_BYTES = new Uint8Array(0);
const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ['', false],
  ['0', false],
  ['1', true],
  ['false', false],
  ['true', true],
]);
const QOS: ReadonlyMap<string, QoS> = new Map([
  ['', 1],
  ['0', 0],
  ['1', 1],
  ['2', 2],
]);

/** Makes the messages of one inbound rule. */
export class InboundMessages {
  readonly #limits: InboundLimits;
  readonly #topic: RecordTemplate;
  readonly #qos: QoS | RecordTemplate;
  readonly #retain: boolean | RecordTemplate;
  readonly #expiry: RecordTemplate | undefined;
  readonly #contentType: RecordTemplate | undefined;
  readonly #responseTopic: RecordTemplate | undefined;
  readonly #correlationData: RecordTemplate | undefined;
  readonly #userProperties: readonly (readonly [name: string, template: RecordTemplate])[];

  /** @throws TemplateError when a template of the rule cannot be compiled. */
  constructor(rule: KafkaToMqttRule, limits: InboundLimits) {
    this.#limits = limits;
    this.#topic = new Template(rule.mqttTopic, recordPlaceholder);
    this.#qos = typeof rule.qos === 'number' ? rule.qos : template(rule.qos);
    this.#retain = typeof rule.retain === 'boolean' ? rule.retain : template(rule.retain);
    this.#expiry = optional(rule.expirySeconds);
    this.#contentType = optional(rule.contentType);
    this.#responseTopic = optional(rule.responseTopic);
    this.#correlationData = optional(rule.correlationData);
    this.#userProperties = Object.entries(rule.userProperties ?? {}).map(
      ([name, text]) => [name, template(text)] as const,
    );
  }

  /** A topic filter for all topics of the messages. */
  get filter(): string {
    return this.#topic.filter;
  }

  /**
   * The message of a record, with the payload that an expression gave, if any.
   *
   * @throws RecordError when there can be none.
   */
  message(source: RecordSource, made?: Uint8Array): InjectedMessage {
    const topic = this.#topicOf(source);
    const payload = made ?? source.record.value ?? NO_BYTES;
    const qos = this.#qosOf(source);
    const retain = this.#retainOf(source);
    const { packetBytesMax, retainedMessageBytesMax } = this.#limits;
    const payloadBytesMax = retain ? retainedMessageBytesMax : Infinity;
    const bytes = Buffer.byteLength(topic) + payload.length;
    if (bytes > packetBytesMax || payload.length > payloadBytesMax) {
      throw new RecordError('too_large', `${payload.length} bytes`);
    }
    const properties = this.#propertiesOf(source);
    const message = { topic, payload, qos, retain };
    return properties === undefined ? message : { ...message, properties };
  }

  #topicOf(source: RecordSource): string {
    const topic = this.#topic.render(source);
    const fault =
      Buffer.byteLength(topic) > TEXT_BYTES_MAX
        ? 'too long'
        : topicNameFault(topic, this.#limits.topicLevelsMax);
    if (fault !== undefined) throw new RecordError('invalid_topic', fault);
    return topic;
  }

  #qosOf(source: RecordSource): QoS {
    if (typeof this.#qos === 'number') return this.#qos;
    const qos = QOS.get(this.#qos.render(source));
    if (qos === undefined) throw new RecordError('template_error', 'qos: is not 0, 1 or 2');
    return qos;
  }

  #retainOf(source: RecordSource): boolean {
    if (typeof this.#retain === 'boolean') return this.#retain;
    const retain = FLAGS.get(this.#retain.render(source));
    if (retain === undefined) {
      throw new RecordError('template_error', 'retain: is not true or false');
    }
    return retain;
  }

  #propertiesOf(source: RecordSource): PublishProperties | undefined {
    const expiry = this.#expiryOf(source);
    const contentType = textOf('contentType', this.#contentType, source);
    const responseTopic = textOf('responseTopic', this.#responseTopic, source);
    if (responseTopic !== undefined && topicNameFault(responseTopic, Infinity) !== undefined) {
      throw new RecordError('template_error', 'responseTopic: is not a topic name');
    }
    const correlationData = this.#correlationData?.bytes(source);
    if (correlationData !== undefined && correlationData.length > TEXT_BYTES_MAX) {
      throw new RecordError('template_error', 'correlationData: is too long');
    }
    const userProperties = this.#userPropertiesOf(source);
    const properties: PublishProperties = {
      ...(expiry === undefined ? {} : { messageExpiryInterval: expiry }),
      ...(contentType === undefined ? {} : { contentType }),
      ...(responseTopic === undefined ? {} : { responseTopic }),
      // Its bytes are the source's own, which nobody changes.
      ...(correlationData?.length ? { correlationData } : {}),
      ...(userProperties.length === 0 ? {} : { userProperties }),
    };
    return Object.keys(properties).length === 0 ? undefined : properties;
  }

  #expiryOf(source: RecordSource): number | undefined {
    const text = this.#expiry?.render(source) ?? '';
    if (text === '') return undefined;
    const seconds = /^\d{1,10}$/.test(text) ? Number(text) : Infinity;
    if (seconds <= EXPIRY_SECONDS_MAX) return seconds;
    throw new RecordError('template_error', 'expirySeconds: is not a number of seconds');
  }

  #userPropertiesOf(source: RecordSource): [name: string, value: string][] {
    const properties: [string, string][] = [];
    for (const [name, value] of this.#userProperties) {
      const text = textOf(`userProperties.${name}`, value, source);
      if (text !== undefined) properties.push([name, text]);
    }
    return properties;
  }
}

function template(text: string): RecordTemplate {
  return new Template(text, recordPlaceholder);
}

function optional(text: string | undefined): RecordTemplate | undefined {
  return text === undefined ? undefined : template(text);
}

/** The text of a property; undefined when it is empty: such a property is left out. */
function textOf(
  field: string,
  text: RecordTemplate | undefined,
  source: RecordSource,
): string | undefined {
  const value = text?.render(source) ?? '';
  if (value === '') return undefined;
  if (Buffer.byteLength(value) > TEXT_BYTES_MAX || value.includes('\0')) {
    throw new RecordError('template_error', `${field}: is too long or has a NUL`);
  }
  return value;
}
