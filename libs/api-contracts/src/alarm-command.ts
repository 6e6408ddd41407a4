/** What alarms there are: where Prometheus has an alert for the same, its name. */
export const ALARM_NAMES = [
  'SkeinBrokerRedisUnavailable',
  'SkeinBrokerClusterOutOfDate',
  'SkeinBrokerConnectionCapacity',
  'SkeinBrokerCertificateExpiry',
  'SkeinBrokerListenerFailed',
  'SkeinBrokerOverloaded',
  'SkeinBrokerHeapNearLimit',
  'SkeinBrokerDeliveriesDropped',
  'SkeinBrokerSlowSubscribers',
  'SkeinBrokerDiskNearlyFull',
  'SkeinBridgeDown',
  'SkeinBridgeSpoolNearlyFull',
] as const;

/** What an alarm is about. */
export type AlarmName = (typeof ALARM_NAMES)[number];

/** How bad it is. */
export type AlarmSeverity = 'critical' | 'warning' | 'info';

/** Somebody has seen an alarm. */
export interface WireAcknowledgement {
  readonly by: string;
  readonly comment?: string | undefined;
  readonly atMs: number;
}

/** Something that is, or was, wrong at a node. */
export interface WireAlarm {
  readonly id: string;
  readonly name: AlarmName;
  /** What it is about at the node: a listener, a bridge; empty for the node itself. */
  readonly subject: string;
  readonly severity: AlarmSeverity;
  readonly summary: string;
  readonly sinceMs: number;
  /** Absent while it holds. */
  readonly clearedAtMs?: number | undefined;
  readonly acknowledgements: readonly WireAcknowledgement[];
}

/** What the API asks of a node about its alarms. */
export type AlarmCommand =
  | { readonly kind: 'alarms' }
  | {
      readonly kind: 'acknowledge-alarm';
      readonly id: string;
      readonly by: string;
      readonly comment?: string | undefined;
    }
  | { readonly kind: 'remove-alarm'; readonly id: string };

const KINDS: Readonly<Record<AlarmCommand['kind'], true>> = {
  ...{ alarms: true, 'acknowledge-alarm': true, 'remove-alarm': true },
};

/** Whether a command is of this group. */
export function isAlarmCommand(command: { readonly kind: string }): command is AlarmCommand {
  return command.kind in KINDS;
}

/** The answers by kind of command. */
export interface AlarmAnswers {
  /** Those that hold, and the latest of those that have held. */
  readonly alarms: { readonly alarms: readonly WireAlarm[] };
  readonly 'acknowledge-alarm': { readonly acknowledgement?: WireAcknowledgement | undefined };
  readonly 'remove-alarm': { readonly kind: 'removed' | 'active' | 'absent' };
}
