import { aclRule } from './acl-rule.ts';
import { z } from 'zod';
import {
  certificateSource,
  jwtSource,
  storedSource,
  usersSource,
  webhookSource,
} from './auth-source.ts';
import { kafkaToMqtt, mqttToKafka, mqttToRabbitmq, mqttToWebhook } from './bridge-rule.ts';
import { kafkaConnector, rabbitmqConnector, webhookConnector } from './connector.ts';
import { furtherListener, sniCertificate } from './listener-section.ts';
import { schema } from './schema.ts';
import { autoSubscription, rewriteRule } from './topic-rule.ts';
import { user } from './user.ts';

/** One key of the configuration, as the schema declares it. */
export interface Setting {
  /** For example `limits.queueMessagesMax`. */
  readonly path: string;
  /** For example `SKEIN_LIMITS_QUEUE_MESSAGES_MAX`. */
  readonly env: string;
  readonly type: 'integer' | 'number' | 'boolean' | 'string' | 'array' | 'integers';
  readonly description: string;
  readonly unit: string | undefined;
  /** Undefined when the key may be absent, or has a default that depends on the machine. */
  readonly default: unknown;
  /** What a value must be, in words that follow "must be". */
  readonly expects: string;
  readonly secret: boolean;
}

/** What is read of a JSON schema; the entries `unit`, `expects` and `secret` are ours. */
interface Shape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  /** Of a list. */
  readonly items?: Shape;
  /** Shapes that one key tells apart. */
  readonly oneOf?: readonly Shape[];
  readonly description?: string;
  readonly unit?: string;
  readonly expects?: string;
  readonly secret?: boolean;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
}

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, '_$&').toUpperCase();

function typeOf({ type, items }: Shape): Setting['type'] {
  if (type === 'array' && items?.type === 'integer') return 'integers';
  const isPlain = type === 'integer' || type === 'number' || type === 'boolean' || type === 'array';
  return isPlain ? type : 'string';
}

function expectationOf(shape: Shape): string {
  if (shape.expects !== undefined) return shape.expects;
  if (shape.type === 'integer') return `a whole number from ${shape.minimum} to ${shape.maximum}`;
  if (shape.type === 'boolean') return 'true or false';
  return `one of ${(shape.enum ?? []).join(', ')}`;
}

/** The keys of a map; of shapes that one key tells apart those of all. */
function propertiesOf({ properties, oneOf }: Shape): Shape['properties'] {
  if (oneOf === undefined) return properties;
  const all = oneOf.toReversed().map((shape) => shape.properties);
  return Object.assign({}, ...all) as Record<string, Shape>;
}

function settingsOf(shape: Shape, path: readonly string[]): readonly Setting[] {
  const properties = propertiesOf(shape);
  if (properties !== undefined) {
    return Object.entries(properties).flatMap(([key, inner]) => settingsOf(inner, [...path, key]));
  }
  return [
    {
      path: path.join('.'),
      env: `SKEIN_${path.map(snake).join('_')}`,
      type: typeOf(shape),
      description: shape.description ?? '',
      unit: shape.unit,
      default: shape.default,
      expects: expectationOf(shape),
      secret: shape.secret ?? false,
    },
  ];
}

function shapeOf(type: z.ZodType): Shape {
  return z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }) as Shape;
}

/** Every key of the configuration in the order of the schema. */
export const SETTINGS: readonly Setting[] = settingsOf(shapeOf(schema), []);

/** The keys of a bridge of each kind; `env` has no meaning for them. */
export const BRIDGE_SETTINGS: Readonly<
  Record<'kafka' | 'webhook' | 'rabbitmq', readonly Setting[]>
> = {
  kafka: settingsOf(shapeOf(kafkaConnector), []),
  webhook: settingsOf(shapeOf(webhookConnector), []),
  rabbitmq: settingsOf(shapeOf(rabbitmqConnector), []),
};

/** The keys of a bridge rule of each direction; `env` has no meaning for them. */
export const BRIDGE_RULE_SETTINGS: Readonly<
  Record<
    'mqtt-to-kafka' | 'kafka-to-mqtt' | 'mqtt-to-webhook' | 'mqtt-to-rabbitmq',
    readonly Setting[]
  >
> = {
  'mqtt-to-kafka': settingsOf(shapeOf(mqttToKafka), []),
  'kafka-to-mqtt': settingsOf(shapeOf(kafkaToMqtt), []),
  'mqtt-to-webhook': settingsOf(shapeOf(mqttToWebhook), []),
  'mqtt-to-rabbitmq': settingsOf(shapeOf(mqttToRabbitmq), []),
};

/** The keys of the items of `topics.rewrite` and `topics.autoSubscribe`; `env` has no meaning for them. */
export const TOPIC_RULE_SETTINGS: Readonly<
  Record<'rewrite' | 'autoSubscribe', readonly Setting[]>
> = {
  rewrite: settingsOf(shapeOf(rewriteRule), []),
  autoSubscribe: settingsOf(shapeOf(autoSubscription), []),
};

/** The keys of the items of `acl.rules`; `env` has no meaning for them. */
export const ACL_RULE_SETTINGS: readonly Setting[] = settingsOf(shapeOf(aclRule), []);

/** The keys of the items of `auth.chain`, by their kind; `env` has no meaning for them. */
export const AUTH_SOURCE_SETTINGS: Readonly<
  Record<'users' | 'stored' | 'jwt' | 'certificate' | 'webhook', readonly Setting[]>
> = {
  users: settingsOf(shapeOf(usersSource), []),
  stored: settingsOf(shapeOf(storedSource), []),
  jwt: settingsOf(shapeOf(jwtSource), []),
  certificate: settingsOf(shapeOf(certificateSource), []),
  webhook: settingsOf(shapeOf(webhookSource), []),
};

/** The keys of the items of `auth.users`; `env` has no meaning for them. */
export const USER_SETTINGS: readonly Setting[] = settingsOf(shapeOf(user), []);

/** The keys of a listener with a name of its own, and those of the items of `tls.sni`; `env` has no meaning for them. */
export const LISTENER_SETTINGS: Readonly<Record<'further' | 'sni', readonly Setting[]>> = {
  further: settingsOf(shapeOf(furtherListener), []),
  sni: settingsOf(shapeOf(sniCertificate), []),
};

/** The keys that items may have, by the path of their list. */
export const ITEM_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['bridges', Object.values(BRIDGE_SETTINGS).flatMap(pathsOf)],
  ['bridgeRules', Object.values(BRIDGE_RULE_SETTINGS).flatMap(pathsOf)],
  ['topics.rewrite', pathsOf(TOPIC_RULE_SETTINGS.rewrite)],
  ['topics.autoSubscribe', pathsOf(TOPIC_RULE_SETTINGS.autoSubscribe)],
  ['auth.users', pathsOf(USER_SETTINGS)],
  ['auth.chain', Object.values(AUTH_SOURCE_SETTINGS).flatMap(pathsOf)],
  ['listeners.tls.tls.sni', pathsOf(LISTENER_SETTINGS.sni)],
  ['listeners.wss.tls.sni', pathsOf(LISTENER_SETTINGS.sni)],
  ['acl.rules', pathsOf(ACL_RULE_SETTINGS)],
]);

function pathsOf(settings: readonly Setting[]): readonly string[] {
  return settings.map(({ path }) => path);
}
