import {
  HEALTH_CHECKS,
  isSystemCommand,
  type NodeCommand,
  type HealthCheckName,
  type SystemAnswers,
  type SystemCommand,
  type WireCertificate,
  type WireListener,
} from '#libs/api-contracts';

const FIGURES = {
  ...{ uptimeMs: 1_500, residentBytes: 1, heapUsedBytes: 2, heapLimitBytes: 3, cpuSeconds: 0.5 },
  ...{ inflightIn: 0, inflightOut: 1, queueMessages: 2, queueBytes: 3, slowConsumers: 0 },
  ...{ retainedMessages: 1, retainedBytes: 2, delayedMessages: 3, delayedBytes: 4 },
  ...{ messagesReceived: 5, messagesSent: 6 },
};

/** Settings are those of the node's own code. */
type FakedCommand = Exclude<SystemCommand, { readonly kind: 'node-config' }>;

/** A node as a part of the system, in memory. */
export class FakeSystem {
  /** What is wrong, by check. */
  readonly faults = new Map<HealthCheckName, string>();
  listeners: WireListener[] = ['tcp', 'tls'].map((name) => ({
    ...{ name, type: name as 'tcp' | 'tls', state: 'listening', address: `mqtt://h:${name}` },
    ...{ connections: 1, connectionsMax: 10 },
  }));
  certificates: readonly WireCertificate[] = [];
  /** Why certificates cannot be read anew. */
  reloadFault: string | undefined;
  /** Nodes that have left something. */
  readonly dead = new Set<string>();
  /** How long certificates were asked to last. */
  withinMs = 0;

  takes(command: NodeCommand): command is FakedCommand {
    return isSystemCommand(command);
  }

  answer(command: FakedCommand): SystemAnswers[SystemCommand['kind']] {
    switch (command.kind) {
      case 'node-health':
        this.withinMs = command.certificatesWithinMs;
        return {
          checks: HEALTH_CHECKS.map((name) => {
            const fault = this.faults.get(name);
            return { name, ok: fault === undefined, detail: fault ?? 'well' };
          }),
        };
      case 'node-features':
        return {
          ...{ version: '1', commit: 'c' },
          features: [
            { name: 'tls', enabled: true },
            { name: 'cluster', enabled: false },
          ],
        };
      case 'node-stats':
        return {
          ...FIGURES,
          overloadLevel: 0,
          connections: [{ listener: 'tcp', version: 5, count: 1 }],
          sessions: [{ state: 'connected', persistent: true, count: 1 }],
          subscriptions: { plain: 1, wildcard: 0, shared: 0 },
        };
      case 'node-metrics':
        return {
          metrics: [
            {
              name: 'm',
              help: 'M.',
              type: 'gauge',
              samples: [{ labels: { a: 'b' }, value: null }],
            },
          ],
        };
      case 'forget-node':
        return { kind: this.dead.delete(command.nodeId) ? 'taken-over' : 'absent' };
      case 'listeners':
        return { listeners: this.listeners };
      case 'switch-listener':
        return this.switch(command.name, command.action === 'stop' ? 'stopped' : 'listening');
      case 'certificates':
        return { certificates: this.certificates };
      case 'reload-certificates':
        return { results: [{ listener: 'tls', fault: this.reloadFault }] };
    }
  }

  private switch(name: string, state: WireListener['state']): SystemAnswers['switch-listener'] {
    this.listeners = this.listeners.map((each) => (each.name === name ? { ...each, state } : each));
    return { listener: this.listeners.find((each) => each.name === name) };
  }
}
