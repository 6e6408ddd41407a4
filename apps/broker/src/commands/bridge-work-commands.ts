import type { BridgeAnswers, BridgeCommand } from '#libs/api-contracts';
import type { Bridge } from '#libs/broker-ports';

/** What commands on bridges at work need of the node. */
export type BridgeAtWork = Pick<Bridge, 'metrics' | 'resetMetrics' | 'restart'>;

/** Carries out what the API asks about bridges at work on this node. */
export function answerOnBridges(
  bridge: BridgeAtWork,
  command: BridgeCommand,
): BridgeAnswers[BridgeCommand['kind']] {
  switch (command.kind) {
    case 'restart-bridge':
      return { kind: bridge.restart(command.id) };
    case 'bridge-metrics':
      return { rules: bridge.metrics() };
    case 'reset-bridge-metrics':
      bridge.resetMetrics(command.id);
      return {};
  }
}
