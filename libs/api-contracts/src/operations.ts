import { ACCESS_OPERATIONS } from './access.ts';
import { ACL_RULE_OPERATIONS } from './acl-rules.ts';
import { ALARM_OPERATIONS } from './alarms.ts';
import { AUDIT_OPERATIONS } from './audit.ts';
import { AUTH_CHANGE_OPERATIONS } from './auth-changes.ts';
import { AUTH_OPERATIONS } from './auth.ts';
import { BACKUP_OPERATIONS } from './backups.ts';
import { BAN_OPERATIONS } from './bans.ts';
import { API_KEY_OPERATIONS } from './api-keys.ts';
import { BRIDGE_RULE_OPERATIONS } from './bridge-rule-operations.ts';
import { BRIDGE_OPERATIONS } from './bridges.ts';
import { BRIDGE_WORK_OPERATIONS } from './bridge-work.ts';
import { CLIENT_ACCESS_OPERATIONS } from './client-access.ts';
import { CLIENT_QUEUE_OPERATIONS } from './client-queues.ts';
import { CLIENT_WORK_OPERATIONS } from './client-work.ts';
import { IMPORT_OPERATIONS } from './imports.ts';
import { CLIENT_OPERATIONS } from './clients.ts';
import { CLUSTER_OPERATIONS } from './cluster.ts';
import { CLUSTER_SETTING_OPERATIONS } from './cluster-settings.ts';
import { DELAYED_MESSAGE_OPERATIONS } from './delayed-messages.ts';
import { DEAD_LETTER_OPERATIONS } from './dead-letters.ts';
import { DEFINITIONS_OPERATIONS } from './definitions.ts';
import { DOCUMENT_OPERATIONS } from './documents.ts';
import { CONFIG_OPERATIONS } from './config.ts';
import { DIAGNOSTICS_OPERATIONS } from './diagnostics.ts';
import { DRAIN_OPERATIONS } from './drains.ts';
import { LISTENER_OPERATIONS } from './listeners.ts';
import { LONG_OPERATION_OPERATIONS } from './long-operations.ts';
import { MESSAGE_OPERATIONS } from './messages.ts';
import type { InputOf } from './operation.ts';
import { RETAINED_OPERATIONS } from './retained.ts';
import { ROLE_OPERATIONS } from './roles.ts';
import { RULE_TEST_OPERATIONS } from './rule-tests.ts';
import { SCHEDULED_MESSAGE_OPERATIONS } from './scheduled-messages.ts';
import { SESSION_OPERATIONS } from './sessions.ts';
import { STATS_OPERATIONS } from './stats.ts';
import { STREAM_OPERATIONS } from './streams.ts';
import { SUBSCRIPTION_OPERATIONS } from './subscriptions.ts';
import { SYSTEM_OPERATIONS } from './system.ts';
import { TOPIC_OPERATIONS } from './topics.ts';
import { TRACE_OPERATIONS } from './traces.ts';
import { USER_OPERATIONS } from './users.ts';
import { WEBHOOK_OPERATIONS } from './webhooks.ts';

/** Every operation of the API by its operationId. */
export const OPERATIONS = {
  ...CLUSTER_OPERATIONS,
  ...CLUSTER_SETTING_OPERATIONS,
  ...SYSTEM_OPERATIONS,
  ...LISTENER_OPERATIONS,
  ...DRAIN_OPERATIONS,
  ...CONFIG_OPERATIONS,
  ...CLIENT_OPERATIONS,
  ...CLIENT_WORK_OPERATIONS,
  ...IMPORT_OPERATIONS,
  ...CLIENT_QUEUE_OPERATIONS,
  ...CLIENT_ACCESS_OPERATIONS,
  ...SESSION_OPERATIONS,
  ...SUBSCRIPTION_OPERATIONS,
  ...TOPIC_OPERATIONS,
  ...MESSAGE_OPERATIONS,
  ...STREAM_OPERATIONS,
  ...WEBHOOK_OPERATIONS,
  ...STATS_OPERATIONS,
  ...ALARM_OPERATIONS,
  ...TRACE_OPERATIONS,
  ...DIAGNOSTICS_OPERATIONS,
  ...RETAINED_OPERATIONS,
  ...DELAYED_MESSAGE_OPERATIONS,
  ...SCHEDULED_MESSAGE_OPERATIONS,
  ...BRIDGE_OPERATIONS,
  ...BRIDGE_WORK_OPERATIONS,
  ...DEAD_LETTER_OPERATIONS,
  ...DEFINITIONS_OPERATIONS,
  ...BRIDGE_RULE_OPERATIONS,
  ...RULE_TEST_OPERATIONS,
  ...ACCESS_OPERATIONS,
  ...ACL_RULE_OPERATIONS,
  ...AUTH_OPERATIONS,
  ...AUTH_CHANGE_OPERATIONS,
  ...BAN_OPERATIONS,
  ...USER_OPERATIONS,
  ...API_KEY_OPERATIONS,
  ...ROLE_OPERATIONS,
  ...AUDIT_OPERATIONS,
  ...LONG_OPERATION_OPERATIONS,
  ...BACKUP_OPERATIONS,
  ...DOCUMENT_OPERATIONS,
} as const;

/** The name of an operation. */
export type OperationId = keyof typeof OPERATIONS;

/** What a checked request to an operation holds. */
export type Input<Id extends OperationId> = InputOf<(typeof OPERATIONS)[Id]>;

/** The methods that a path has, upper-case; empty when there is no such path. */
export function methodsOf(path: string): readonly string[] {
  const segments = path.split('/');
  const methods = Object.values(OPERATIONS)
    .filter((operation) => {
      const template = operation.path.split('/');
      return (
        template.length === segments.length &&
        template.every((part, index) =>
          part.startsWith('{') ? segments[index] !== '' : part === segments[index],
        )
      );
    })
    .map((operation) => operation.method.toUpperCase());
  const head = methods.includes('GET') ? ['HEAD'] : [];
  return methods.length === 0 ? [] : [...new Set([...methods, ...head, 'OPTIONS'])];
}
